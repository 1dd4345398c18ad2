import { violation } from './violation.ts';

const maxDepth = 8;

/**
 * Parses JSON that came from inside a sandbox. Stricter than `JSON.parse`: one object, valid UTF-8, no duplicate
 * or `__proto__` key, nested at most 8 deep, integers of at most 53 bits only. Throws `PROTOCOL_VIOLATION`.
 */
export function parseStrictJson(bytes: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw violation('JSON that is not UTF-8');
  }
  assertShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw violation('malformed JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw violation('JSON that is no object');
  return value as Record<string, unknown>;
}

/** One pass over the tokens for what `JSON.parse` lets through; malformed text is left for it to refuse. */
function assertShape(text: string): void {
  const keys: (Set<string> | undefined)[] = [];
  let index = 0;
  while (index < text.length) {
    const character = text.charCodeAt(index);
    if (character === 0x22) {
      const end = endOfString(text, index);
      const scope = keys.at(-1);
      if (scope !== undefined && followedByColon(text, end)) {
        const key = decodeKey(text.slice(index, end));
        if (key === '__proto__') throw violation('JSON with a __proto__ key');
        if (scope.has(key)) throw violation('JSON with a duplicate key');
        scope.add(key);
      }
      index = end;
    } else if (character === 0x7b || character === 0x5b) {
      if (keys.length === maxDepth) throw violation(`JSON nested more than ${maxDepth} deep`);
      keys.push(character === 0x7b ? new Set() : undefined);
      index += 1;
    } else if (character === 0x7d || character === 0x5d) {
      keys.pop();
      index += 1;
    } else if (character === 0x2d || (character >= 0x30 && character <= 0x39)) {
      const number = /-?[0-9.eE+-]*/y;
      number.lastIndex = index;
      const token = number.exec(text)?.[0] ?? '';
      if (!/^-?\d+$/.test(token) || !Number.isSafeInteger(Number(token))) {
        throw violation('a JSON number that is no integer of 53 bits');
      }
      index += Math.max(token.length, 1);
    } else {
      index += 1;
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (character === 0x5c) index += 1;
    else if (character === 0x22) return index + 1;
  }
  throw violation('malformed JSON');
}

function followedByColon(text: string, end: number): boolean {
  for (let index = end; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (character === 0x3a) return true;
    if (character !== 0x20 && character !== 0x09 && character !== 0x0a && character !== 0x0d) return false;
  }
  return false;
}

function decodeKey(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw violation('malformed JSON');
  }
}
