import { types } from 'node:util';
import { formatPath, type Report } from './problems.ts';
import { show } from './show.ts';

const maximumDepth = 8;
const maximumValues = 10_000;
const dangerousKeys = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * A copy of an input that holds nothing but plain data (objects, lists, strings, numbers, booleans, null), so that what
 * is checked afterwards is what is used: no getter can answer differently the second time. Everything else is reported
 * with its path and left out. Members that are `undefined` count as absent. Never throws, runs no code of the input's.
 */
export function copyPlainData(input: unknown, report: Report): unknown {
  let values = 0;
  const ancestors = new Set<object>();

  const copy = (value: unknown, path: readonly PropertyKey[]): unknown => {
    if (++values > maximumValues) {
      if (values === maximumValues + 1) report('', `expected at most ${maximumValues} values in all, found more`);
      return undefined;
    }
    if (typeof value !== 'object' || value === null) {
      if (value === null || value === undefined || ['string', 'number', 'boolean'].includes(typeof value)) return value;
      report(formatPath(path), `expected plain data, found ${show(value)}`);
      return undefined;
    }
    const reason = refusal(value, path, ancestors);
    if (reason !== undefined) {
      report(formatPath(path), reason);
      return undefined;
    }
    ancestors.add(value);
    const result = Array.isArray(value) ? copyList(value, path) : copyObject(value, path);
    ancestors.delete(value);
    return result;
  };

  const member = (container: object, key: PropertyKey, path: readonly PropertyKey[]): unknown => {
    const property = Object.getOwnPropertyDescriptor(container, key);
    if (property !== undefined && 'value' in property) return copy(property.value, path);
    report(
      formatPath(path),
      `expected a plain value, found ${property === undefined ? 'nothing' : 'a getter or setter'}`,
    );
    return undefined;
  };

  const copyList = (list: readonly unknown[], path: readonly PropertyKey[]): unknown[] => {
    const result: unknown[] = [];
    if (list.length > maximumValues) {
      report(formatPath(path), `expected at most ${maximumValues} entries, found ${list.length}`);
      return result;
    }
    if (Reflect.ownKeys(list).length > list.length + 1) report(formatPath(path), 'expected a list without properties');
    for (let index = 0; index < list.length; index++) result.push(member(list, String(index), [...path, index]));
    return result;
  };

  const copyObject = (object: object, path: readonly PropertyKey[]): Record<string, unknown> => {
    const result: Record<string, unknown> = {};
    for (const key of Reflect.ownKeys(object)) {
      const at = [...path, key];
      if (typeof key === 'symbol') report(formatPath(path), 'expected plain data, found a property named by a symbol');
      else if (dangerousKeys.has(key)) report(formatPath(at), 'is not a name that a field can have');
      else {
        const value = member(object, key, at);
        if (value !== undefined) result[key] = value;
      }
      if (values > maximumValues) break;
    }
    return result;
  };

  return copy(input, []);
}

function refusal(value: object, path: readonly PropertyKey[], ancestors: ReadonlySet<object>): string | undefined {
  if (types.isProxy(value)) return 'expected plain data, found a proxy';
  if (ancestors.has(value)) return 'expected plain data, found an object that contains itself';
  if (path.length >= maximumDepth) return `expected at most ${maximumDepth} levels, found more`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return undefined;
  if (types.isProxy(prototype)) return 'expected plain data, found a proxy';
  // An object of another realm (a vm context) has another Object.prototype, whose own prototype is null too.
  const plain = prototype === null || (typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null);
  return plain ? undefined : 'expected a plain object, found an instance of a class';
}
