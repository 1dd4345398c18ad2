import { PassThrough, type Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TerminalFilter } from '../src/run/terminal-filter.ts';
import { TextFilter } from '../src/run/text-filter.ts';

async function pass<Filter extends Transform>(filter: Filter, chunks: readonly Uint8Array[]): Promise<string> {
  const out = filter.pipe(new PassThrough());
  const seen = text(out);
  for (const chunk of chunks) filter.write(chunk);
  filter.end();
  return seen;
}

const through = (filter: Transform, written: string) => pass(filter, [Buffer.from(written)]);

describe('TextFilter', () => {
  it.each([
    ['plain text, äöü 世界 🙂\n\ttab\r\n', 'plain text, äöü 世界 🙂\n\ttab\r\n'],
    ['\x1b]52;c;cm0gLXJm\x07', '\\x1b]52;c;cm0gLXJm\\x07'],
    ['\x1b[2J\x1b[31mred', '\\x1b[2J\\x1b[31mred'],
    ['\u009b31m', '\\x9b31m'],
    ['a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
    ['\0\b\x7f', '\\x00\\x08\\x7f'],
  ])('%j is shown as %j', async (written, shown) => {
    expect(await through(new TextFilter(), written)).toBe(shown);
  });

  it('lets no control character through, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 }), async (chunks) => {
        const shown = await pass(new TextFilter(), chunks);
        expect(shown).not.toMatch(/[^\P{Cc}\n\r\t]|[\u202a-\u202e\u2066-\u2069]/u);
        expect(shown).toBe(await pass(new TextFilter(), [Buffer.concat(chunks)]));
      }),
    );
  });
});

describe('TerminalFilter', () => {
  it.each([
    [
      'colours and moves',
      '\x1b[1;31mred\x1b[0m\x1b[2J\x1b[10;20H\x1b[K',
      '\x1b[1;31mred\x1b[0m\x1b[2J\x1b[10;20H\x1b[K',
    ],
    ['the other screen', '\x1b[?1049h\x1b[?25l', '\x1b[?1049h\x1b[?25l'],
    ['text', 'größe 世界 🙂\r\n\x07', 'größe 世界 🙂\r\n\x07'],
    ['where the cursor is asked for', '\x1b[6n', '\x1b[6n'],
    ['line drawing', '\x1b(0lqk\x1b(B', '\x1b(0lqk\x1b(B'],
  ])('lets %s through', async (_, written, shown) => {
    expect(await through(new TerminalFilter(), written)).toBe(shown);
  });

  it.each([
    ['the clipboard', 'a\x1b]52;c;cm0gLXJm\x07b'],
    ['the clipboard, ended otherwise', 'a\x1b]52;c;cm0gLXJm\x1b\\b'],
    ['the clipboard in 8 bits', 'a\u009d52;c;cm0gLXJm\u009cb'],
    ['a title', 'a\x1b]0;rm -rf /\x07b'],
    ['the title sent back', 'a\x1b[21tb'],
    ['a device control string', 'a\x1bP$q"p\x1b\\b'],
    ['an application string', 'a\x1b_Gf=24;xx\x1b\\b'],
    ['a privacy message', 'a\x1b^x\x1b\\b'],
    ['the answerback', 'a\x05b'],
    ['printing', 'a\x1b[5ib'],
    ['the version query', 'a\x1b[>0qb'],
    ['keyboard modes', 'a\x1b[>1ub'],
  ])('drops %s', async (_, written) => {
    expect(await through(new TerminalFilter(), written)).toBe('ab');
  });

  it('keeps no endless sequence', async () => {
    const shown = await through(new TerminalFilter(), `a\x1b[${'1'.repeat(300)}b`);
    expect(shown).toMatch(/^a1+b$/);
  });

  it('is not confused by a string that is cut by an escape', async () => {
    expect(await through(new TerminalFilter(), '\x1b]0;title\x1b[31mred')).toBe('\x1b[31mred');
    expect(await through(new TerminalFilter(), '\x1b]0;title\x18text')).toBe('text');
  });

  it('does the same however the bytes are cut', async () => {
    const pieces = fc.constantFrom(
      '\x1b',
      '[',
      ']',
      '52;',
      '?1049',
      'h',
      'l',
      'm',
      '\x07',
      '\\',
      'P',
      'ä',
      '\u009b',
      'x',
      ' ',
      '(',
      '0',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 40 }), fc.nat(40), async (parts, cut) => {
        const bytes = Buffer.from(parts.join(''));
        const whole = await pass(new TerminalFilter(), [bytes]);
        expect(await pass(new TerminalFilter(), [bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(whole);
        for (const start of [']', 'P', 'X', '^', '_']) expect(whole).not.toContain(`\x1b${start}`);
        expect(whole).not.toMatch(/[\u0080-\u009f]/);
      }),
    );
  });

  it('puts right what a program left behind, and nothing else', async () => {
    const left = new TerminalFilter();
    await through(left, '\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?2004l\x1b[31m');
    expect(left.reset).toBe('\x1b[?1049l\x1b[?25h\x1b[0m\x1b>');
    const plain = new TerminalFilter();
    await through(plain, 'nothing special\n');
    expect(plain.reset).toBe('');
  });
});
