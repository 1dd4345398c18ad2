import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../src/protocol/strict-json.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));

/** Values that the protocol allows: what one side may send, the other must take. */
const allowed = fc.dictionary(
  fc.string().filter((key) => key !== '__proto__'),
  fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.array(fc.oneof(fc.string(), fc.maxSafeInteger())),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      fc.string(),
    ),
  ),
);

describe('parseStrictJson', () => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(allowed, (value) => {
        const text = JSON.stringify(value);
        fc.pre(text.isWellFormed());
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('never takes what JSON.parse refuses, and fails with a typed error only', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string({ unit: fc.constantFrom('{', '}', '"', ':', ',', '[', ']', '\\', '1', 'e', '-', 'a', ' ') }),
        ),
        (text) => {
          let strict: unknown;
          try {
            strict = parse(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'PROTOCOL_VIOLATION' });
            return;
          }
          expect(strict).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['a duplicate key', '{"a":1,"a":2}'],
    ['a duplicate key in disguise', '{"a":1,"\\u0061":2}'],
    ['a duplicate key further in', '{"b":[{"a":1,"a":2}]}'],
    ['__proto__', '{"__proto__":{"polluted":true}}'],
    ['a fraction', '{"a":1.5}'],
    ['an exponent', '{"a":1e3}'],
    ['more than 53 bits', '{"a":9007199254740993}'],
    ['less than 53 bits', '{"a":-9007199254740993}'],
    ['depth 9', `${'{"a":'.repeat(9)}1${'}'.repeat(9)}`],
    ['depth 10,000', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['a list', '[]'],
    ['a string', '"a"'],
    ['null', 'null'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
    ['an unterminated string', '{"a'],
  ])('refuses %s', (_name, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }));
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from('7b2261223a22ff227d', 'hex'))).toThrow(/UTF-8/);
  });

  it('takes the same key in different objects, and depth 8', () => {
    expect(parse('{"a":{"a":1},"b":[{"a":1},{"a":2}]}')).toEqual({ a: { a: 1 }, b: [{ a: 1 }, { a: 2 }] });
    expect(() => parse(`${'{"a":'.repeat(8)}1${'}'.repeat(8)}`)).not.toThrow();
  });
});
