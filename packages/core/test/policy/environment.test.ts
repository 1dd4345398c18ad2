import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNanoclawError } from '../../src/errors/nanoclaw-error.ts';
import { assertEnvironment, parseEnvironment } from '../../src/policy/environment.ts';
import { defaultPath, imageEnvironment } from '../../src/policy/image-environment.ts';
import { errorOf } from './support.ts';

describe('146: the environment of a command', () => {
  test('is kept as it is, whatever the names mean to programs inside', () => {
    const env = { PATH: '/workspace/bin', LD_PRELOAD: '/workspace/x.so', _: '', a1: 'ü\n', __proto_: 'x' };
    expect(parseEnvironment(env)).toEqual(env);
    expect(Object.isFrozen(parseEnvironment(env))).toBe(true);
  });

  test.each([
    [{ '': 'x' }],
    [{ '=x': 'y' }],
    [{ 'A=B': 'y' }],
    [{ 'A B': 'y' }],
    [{ '1A': 'y' }],
    [{ Ä: 'y' }],
    [{ 'A\0': 'y' }],
    [{ A: 'x\0y' }],
    [{ A: '\ud800' }],
    [{ A: 1 }],
    [{ A: null }],
    [{ A: ['x'] }],
    [JSON.parse('{"__proto__":"x"}')],
    [{ constructor: 'x' }],
    [{ ['N'.repeat(257)]: 'x' }],
    [{ A: 'x'.repeat(131_072) }],
    [Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`A${index}`, '']))],
    [Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`A${index}`, '']))],
    [Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`A${index}`, 'x'.repeat(200)]))],
    [['A=b']],
    ['A=b'],
    [null],
    [undefined],
    [new Map()],
    [
      {
        get A() {
          return 'x';
        },
      },
    ],
  ])('is refused (%#)', (input) => {
    const error = errorOf(() => assertEnvironment(input));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details.problems?.length).toBeGreaterThan(0);
    expect(error.message).not.toMatch(/\0/);
  });

  test('at its limits', () => {
    expect(
      Object.keys(parseEnvironment(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`A${index}`, '']))))
        .length,
    ).toBe(1_000);
    expect(parseEnvironment({ A: 'x'.repeat(131_069) }).A?.length).toBe(131_069);
    expect(errorOf(() => parseEnvironment({ A: 'x'.repeat(131_070) })).code).toBe('INVALID_ARGUMENT');
  });

  test('nothing but INVALID_ARGUMENT is ever thrown', () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        try {
          parseEnvironment(input);
        } catch (error) {
          if (!isNanoclawError(error) || error.code !== 'INVALID_ARGUMENT') throw error;
        }
      }),
    );
  });
});

describe("152: an image's environment", () => {
  const of = (...env: string[]) => imageEnvironment(env, ['/tmp', '/workspace']);

  test('keeps a sound PATH, locale and time zone, and drops everything else', () => {
    expect(
      of(
        'PATH=/opt/venv/bin:/usr/bin',
        'LANG=de_DE.UTF-8',
        'LC_ALL=C.UTF-8',
        'TZ=Europe/Berlin',
        'LD_PRELOAD=/x.so',
        'NODE_OPTIONS=--inspect',
        'HOME=/root',
        'LC_EVIL=x',
        'NOTHING',
        '=x',
      ),
    ).toEqual({ PATH: '/opt/venv/bin:/usr/bin', LANG: 'de_DE.UTF-8', LC_ALL: 'C.UTF-8', TZ: 'Europe/Berlin' });
  });

  test('has a PATH and a locale where the image has none', () => {
    expect(of()).toEqual({ PATH: defaultPath, LANG: 'C.UTF-8' });
  });

  test.each([
    '',
    ':',
    '/usr/bin:',
    ':/usr/bin',
    '/usr/bin::/bin',
    '.',
    'bin',
    '/usr/bin:bin',
    '/usr/../tmp',
    '/usr/bin/',
    '/',
    '/tmp',
    '/tmp/x:/usr/bin',
    '/workspace/.venv/bin:/usr/bin',
    '/usr\n/bin',
    '/a\0',
    `/${'a'.repeat(5_000)}`,
  ])('an unsound PATH is replaced (%#)', (path) => {
    expect(of(`PATH=${path}`).PATH).toBe(defaultPath);
  });

  test('a directory whose name only begins alike is no scratch directory', () => {
    expect(of('PATH=/tmpfiles/bin').PATH).toBe('/tmpfiles/bin');
  });

  test('the last of equal names counts', () => {
    expect(of('PATH=/a', 'PATH=/b').PATH).toBe('/b');
  });

  test.each([
    'LANG=../../x',
    'LANG=/x',
    'LANG=x y',
    'TZ=/etc/shadow',
    'TZ=:/etc/shadow',
    'TZ=../x',
    'TZ=Europe/../x',
    'LC_ALL=',
    `LANG=${'x'.repeat(65)}`,
  ])('%s is dropped', (entry) => {
    expect(of(entry)).toEqual({ PATH: defaultPath, LANG: 'C.UTF-8' });
  });
});
