import { z } from 'zod';
import { pathProblem } from './container-path.ts';
import { quote, show } from './show.ts';
import { formatDuration, formatSize, type Reading, readDuration, readSize } from './units.ts';

// The field types that the schema is made of. Each is a zod type whose one issue says what was expected and found.

function reading<T>(read: (input: unknown) => { readonly value: T } | { readonly problem: string }) {
  return z
    .custom<unknown>(() => true)
    .transform((input, context): T => {
      const result = read(input);
      if ('value' in result) return result.value;
      context.addIssue({ code: 'custom', message: result.problem });
      return z.NEVER;
    });
}

function bounded(
  result: Reading,
  minimum: number,
  maximum: number,
  format: (value: number) => string,
  input: unknown,
): Reading {
  if ('problem' in result || (result.value >= minimum && result.value <= maximum)) return result;
  return { problem: `expected ${format(minimum)} to ${format(maximum)}, found ${show(input)}` };
}

/** Bytes. */
export const size = (minimum: number, maximum: number) =>
  reading((input) => bounded(readSize(input), minimum, maximum, formatSize, input));

/** Milliseconds. */
export const duration = (minimum: number, maximum: number) =>
  reading((input) => bounded(readDuration(input), minimum, maximum, formatDuration, input));

/** Milliseconds, or `'off'`. */
export const durationOrOff = (minimum: number, maximum: number) =>
  reading<number | 'off'>((input) => {
    if (input === 'off') return { value: 'off' };
    const result = bounded(readDuration(input), minimum, maximum, formatDuration, input);
    return 'value' in result ? result : { problem: `${result.problem}; or 'off'` };
  });

export const integer = (minimum: number, maximum: number) =>
  reading((input): Reading => {
    if (typeof input === 'number' && Number.isInteger(input) && input >= minimum && input <= maximum)
      return { value: input };
    return { problem: `expected a whole number from ${minimum} to ${maximum}, found ${show(input)}` };
  });

/** Thousandths of a CPU. */
export const cpus = reading((input): Reading => {
  if (typeof input === 'number' && input >= 0.01 && input <= 1024) return { value: Math.round(input * 1000) };
  return { problem: `expected a number of CPUs from 0.01 to 1024, found ${show(input)}` };
});

export const boolean = reading((input) =>
  typeof input === 'boolean' ? { value: input } : { problem: `expected true or false, found ${show(input)}` },
);

export const oneOf = <const T extends string>(values: readonly T[]) =>
  reading<T>((input) => {
    const value = values.find((candidate) => candidate === input);
    if (value !== undefined) return { value };
    return { problem: `expected ${values.map((candidate) => `'${candidate}'`).join(', ')}, found ${show(input)}` };
  });

/** An absolute path, with a rule of its own on top of the spelling. */
export const path = (problem: (path: string) => string | undefined = pathProblem) =>
  reading<string>((input) => {
    if (typeof input !== 'string') return { problem: `expected an absolute path, found ${show(input)}` };
    const message = problem(input);
    return message === undefined ? { value: input } : { problem: message };
  });

/** Permission bits in octal text. */
export const mode = reading((input): Reading => {
  // Numbers are refused: YAML reads 0700 as seven hundred.
  if (typeof input !== 'string' || !/^0?1?[0-7]{3}$/.test(input)) {
    return { problem: `expected permission bits as octal text such as '0700' or '1777', found ${show(input)}` };
  }
  const bits = Number.parseInt(input, 8);
  if ((bits & 0o700) === 0o700) return { value: bits };
  return { problem: `expected bits that let the owner read, write and search, found ${quote(input)}` };
});

const lowestId = 1;
const highestId = 2_147_483_646;
const overflowId = 65_534;

/** A uid or gid of a sandbox. */
export const userId = reading((input): Reading => {
  const message = userIdProblem(input);
  return message === undefined && typeof input === 'number' ? { value: input } : { problem: message ?? '' };
});

/** What is wrong with a uid or gid, or `undefined`. */
export function userIdProblem(input: unknown): string | undefined {
  if (input === 0) return '0 is root, and a sandbox never runs as root: take another id, or user: auto';
  // 65534 stands for every id that a user namespace doesn't map: files of others would seem to be the sandbox's own.
  if (input === overflowId)
    return `${overflowId} is nobody's, shared by everything unmapped: take another id, or user: auto`;
  if (typeof input === 'number' && Number.isInteger(input) && input >= lowestId && input <= highestId) return undefined;
  return `expected an id from ${lowestId} to ${highestId}, found ${show(input)}`;
}
