import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  readDuration,
  readSize,
} from '../../src/policy/units.ts';

describe('sizes', () => {
  test.each([
    ['512m', 536_870_912],
    ['512M', 536_870_912],
    ['1.5g', 1_610_612_736],
    ['64k', 65_536],
    ['2t', 2_199_023_255_552],
    ['1048576', 1_048_576],
    ['100b', 100],
    ['0.3g', 322_122_547],
    [4096, 4096],
  ])('%j is %d bytes', (input, bytes) => {
    expect(parseSize(input)).toBe(bytes);
  });

  test.each([
    '64mb',
    '64mib',
    '-1',
    '-1m',
    '+1m',
    '1e99',
    '1e3',
    '',
    ' 64m',
    '64 m',
    '64m\n',
    '0',
    '0m',
    '0.0001k',
    '.5g',
    '1.g',
    '1.5',
    '1.5b',
    '0x10',
    '９m',
    '99999999999999999999',
    '9999999999999999t',
    'm',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    0,
    -0,
    1.5,
    2 ** 63,
    2 ** 53,
    1e99,
    10n,
    true,
    null,
    undefined,
    [],
    {},
    () => 1,
  ])('what is no size is refused (%#)', (input) => {
    expect(readSize(input)).toEqual({ problem: expect.stringMatching(/^expected .*, found /s) });
    expect(() => parseSize(input)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('whatever is formatted is read back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (bytes) => parseSize(formatSize(bytes)) === bytes,
      ),
    );
  });

  test('are written in the largest unit that is exact', () => {
    expect([1, 65_536, 1.5 * 2 ** 30, 2 ** 40].map(formatSize)).toEqual(['1b', '64k', '1536m', '1t']);
  });
});

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1.5h', 5_400_000],
    ['0.001s', 1],
  ])('%j is %d ms', (input, milliseconds) => {
    expect(parseDuration(input)).toBe(milliseconds);
  });

  test.each([
    '60',
    '',
    '0s',
    '0',
    '-1s',
    '1d',
    '60 s',
    '60S',
    '1e3s',
    '0.0001ms',
    '1.5',
    'off',
    '9999999999999h',
    60,
    0,
    -1,
    Number.NaN,
    null,
    {},
  ])('what is no duration is refused (%#)', (input) => {
    expect(readDuration(input)).toEqual({ problem: expect.stringMatching(/^expected .*, found /s) });
  });

  test('a number without a unit is told how to write it', () => {
    expect(readDuration(60)).toEqual({ problem: expect.stringContaining("write '60s' or '60ms'") });
    expect(readDuration('60')).toEqual({ problem: expect.stringContaining('without a unit') });
  });

  test('whatever is formatted is read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999 }), (ms) => parseDuration(formatDuration(ms)) === ms),
    );
  });
});
