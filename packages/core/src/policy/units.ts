import { createError } from '../errors/nanoclaw-error.ts';
import { show } from './show.ts';

/** What reading a value came to: the value, or what is wrong with it. */
export type Reading = { readonly value: number } | { readonly problem: string };

const sizeUnits: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const sizeGrammar = /^(\d{1,16})(?:\.(\d{1,3}))?([bkmgt])?$/i;
const durationGrammar = /^(\d{1,12})(?:\.(\d{1,3}))?(ms|s|m|h)$/;

const sizeExpected =
  "a size such as '512m' or '1.5g' (units b, k, m, g, t in powers of 1024), or a whole number of bytes";
const durationExpected = "a duration with its unit, such as '500ms', '60s', '15m' or '2h'";

/**
 * Reads a size: `'512m'`, `'1.5g'`, `'64k'`, `'1048576'` or a number of bytes. Units are powers of 1024, in either
 * case; a fraction needs a unit above bytes and is rounded down to a whole byte.
 */
export function readSize(input: unknown): Reading {
  if (typeof input === 'number') return wholeBytes(input, input);
  if (typeof input !== 'string') return { problem: `expected ${sizeExpected}, found ${show(input)}` };
  const match = sizeGrammar.exec(input);
  if (match === null) return { problem: `expected ${sizeExpected}, found ${show(input)}` };
  const [, whole = '', fraction, letter = 'b'] = match;
  const unit = sizeUnits[letter.toLowerCase()] ?? 1;
  if (fraction === undefined) return wholeBytes(Number(whole) * unit, input);
  if (unit === 1) return { problem: `expected a whole number of bytes, found ${show(input)}` };
  return wholeBytes(Math.floor(Number(`${whole}.${fraction}`) * unit), input);
}

function wholeBytes(bytes: number, input: unknown): Reading {
  if (!Number.isFinite(bytes)) return { problem: `expected ${sizeExpected}, found ${show(input)}` };
  if (bytes <= 0) return { problem: `expected a size above 0, found ${show(input)}` };
  if (!Number.isInteger(bytes)) return { problem: `expected a whole number of bytes, found ${show(input)}` };
  if (!Number.isSafeInteger(bytes)) return { problem: `expected a size below 2^53 bytes, found ${show(input)}` };
  return { value: bytes };
}

/**
 * Reads a duration: `'500ms'`, `'60s'`, `'15m'`, `'1.5h'`. The unit is never left out, so that nobody mistakes seconds
 * for milliseconds; the result is a whole number of milliseconds, a rest is rounded down.
 */
export function readDuration(input: unknown): Reading {
  if (typeof input === 'number') {
    const hint = Number.isFinite(input) && input > 0 ? `; write '${input}s' or '${input}ms'` : '';
    return { problem: `expected ${durationExpected}, found ${show(input)} without a unit${hint}` };
  }
  if (typeof input !== 'string') return { problem: `expected ${durationExpected}, found ${show(input)}` };
  const match = durationGrammar.exec(input);
  if (match === null) {
    const hint = /^\d+$/.test(input) ? ' without a unit' : '';
    return { problem: `expected ${durationExpected}, found ${show(input)}${hint}` };
  }
  const [, whole = '', fraction = '0', unit = ''] = match;
  const milliseconds = Math.floor(Number(`${whole}.${fraction}`) * (durationUnits[unit] ?? 1));
  if (milliseconds <= 0) return { problem: `expected a duration above 0, found ${show(input)}` };
  if (!Number.isSafeInteger(milliseconds)) return { problem: `expected ${durationExpected}, found ${show(input)}` };
  return { value: milliseconds };
}

/**
 * A size in bytes.
 * @throws NanoclawError `INVALID_ARGUMENT` where it is none; see {@link readSize} for the grammar.
 */
export function parseSize(input: unknown): number {
  return unwrap(readSize(input));
}

/**
 * A duration in milliseconds.
 * @throws NanoclawError `INVALID_ARGUMENT` where it is none; see {@link readDuration} for the grammar.
 */
export function parseDuration(input: unknown): number {
  return unwrap(readDuration(input));
}

function unwrap(reading: Reading): number {
  if ('value' in reading) return reading.value;
  throw createError('INVALID_ARGUMENT', reading.problem, { problems: [{ path: '', message: reading.problem }] });
}

/** The shortest exact way to write a size: `536870912` → `512m`. {@link parseSize} gives the same number back. */
export function formatSize(bytes: number): string {
  for (const letter of ['t', 'g', 'm', 'k'] as const) {
    const unit = sizeUnits[letter] ?? 1;
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${letter}`;
  }
  return `${bytes}b`;
}

/** The shortest exact way to write a duration: `900000` → `15m`. {@link parseDuration} gives the same number back. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    const length = durationUnits[unit] ?? 1;
    if (milliseconds >= length && milliseconds % length === 0) return `${milliseconds / length}${unit}`;
  }
  return `${milliseconds}ms`;
}
