import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDiagnosticsTail, escapeControlCharacters } from '../src/diagnostics-tail.ts';

describe('createDiagnosticsTail', () => {
  test('keeps the end, within its bounds, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), (chunks) => {
        const tail = createDiagnosticsTail(64);
        for (const chunk of chunks) tail.append(chunk);
        expect(Buffer.byteLength(tail.text())).toBeLessThanOrEqual(64);
      }),
    );
    const tail = createDiagnosticsTail(8);
    for (const text of ['abc', 'defgh', 'ij']) tail.append(Buffer.from(text));
    expect(tail.text()).toBe('cdefghij');
    tail.append(Buffer.from('0123456789'));
    expect(tail.text()).toBe('23456789');
  });

  test('does not hold on to what it was given', () => {
    const chunk = Buffer.from('abc');
    const tail = createDiagnosticsTail();
    tail.append(chunk);
    chunk.fill(0);
    expect(tail.text()).toBe('abc');
  });

  test('is empty at first', () => {
    expect(createDiagnosticsTail().text()).toBe('');
  });
});

describe('escapeControlCharacters', () => {
  test.each([
    ['a\nb\tc', 'a\nb\tc'],
    ['\x1b[31m\x07\r', '\\x1b[31m\\x07\\x0d'],
    ['\x9b0m\x7f\0', '\\x9b0m\\x7f\\x00'],
    ['\u202egnp.exe', '\\u{202e}gnp.exe'],
    ['grün 🦊', 'grün 🦊'],
  ])('%j', (text, escaped) => {
    expect(escapeControlCharacters(text)).toBe(escaped);
  });
});
