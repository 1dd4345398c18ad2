import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const esc = '\x1b';
const cancel = ['\x18', '\x1a'];
/** What ESC or its 8-bit form starts: sequences with a string in them set clipboards, titles, files; none is let through. */
const stringStarts = new Set([']', 'P', 'X', '^', '_']);
const maximumSequence = 128;
/** Drawing, moving, erasing, scrolling, colours, and the reports of position and kind, whose answers carry no text of anybody's. */
const harmlessFinals = new Set('@ABCDEFGHIJKLMPSTXZ`abcdefghlmnrsu');
const privateFinals = new Set('hlnJK');
/** Private modes that a terminal has on by itself: wrapping lines, showing the cursor. */
const usuallyOn = new Set(['7', '25']);

type State = 'text' | 'escape' | 'control' | 'string' | 'string-escape';

/**
 * For `-t`: a program may draw on the terminal, and do nothing else with it. Strings for the terminal itself (OSC such as
 * clipboard, title and links, DCS, APC, PM), window operations, printing, and queries that make it answer with text of the
 * sandbox's choice are dropped.
 */
export class TerminalFilter extends Transform {
  readonly #decoder = new StringDecoder('utf8');
  #state: State = 'text';
  #sequence = '';
  readonly #modes = new Map<string, 'h' | 'l'>();
  #drew = false;

  /** What puts the terminal right after the program: modes that it left switched, colours, the keypad. Empty where it did nothing. */
  get reset(): string {
    const left = [...this.#modes].filter(([mode, state]) => (state === 'h') !== usuallyOn.has(mode));
    const modes = left.map(([mode]) => `${esc}[?${mode}${usuallyOn.has(mode) ? 'h' : 'l'}`);
    return this.#drew ? `${modes.join('')}${esc}[0m${esc}>` : '';
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    callback(null, Buffer.from(this.#filter(this.#decoder.write(chunk))));
  }

  override _flush(callback: TransformCallback): void {
    callback(null, Buffer.from(this.#filter(this.#decoder.end())));
  }

  #filter(text: string): string {
    let passed = '';
    for (const character of text) passed += this.#step(character);
    this.#drew ||= passed.includes(esc);
    return passed;
  }

  #step(character: string): string {
    if (cancel.includes(character)) return this.#enter('text');
    if (character === esc) return this.#enter(this.#state === 'string' ? 'string-escape' : 'escape');
    switch (this.#state) {
      case 'text':
        return this.#text(character);
      case 'escape':
        return this.#afterEscape(character);
      case 'control':
        return this.#control(character);
      case 'string':
        return character === '\x07' || character === '\x9c' ? this.#enter('text') : '';
      case 'string-escape':
        if (character === '\\') return this.#enter('text');
        return this.#afterEscape(character);
    }
  }

  #enter(state: State): string {
    this.#state = state;
    this.#sequence = '';
    return '';
  }

  #text(character: string): string {
    const code = character.codePointAt(0) ?? 0;
    // The 8-bit forms of ESC and what follows it.
    if (code >= 0x80 && code < 0xa0) return this.#afterEscape(String.fromCharCode(code - 0x40));
    return code === 0x05 ? '' : character;
  }

  #afterEscape(character: string): string {
    if (character === '[') return this.#enter('control');
    if (stringStarts.has(character)) return this.#enter('string');
    // An intermediate byte (character sets): the final one follows.
    if (character >= ' ' && character <= '/' && this.#sequence.length < 4) {
      this.#sequence += character;
      this.#state = 'escape';
      return '';
    }
    const sequence = this.#sequence + character;
    this.#enter('text');
    return /^(?:[()*+][0AB12]|#8|[78=>DEHMc])$/.test(sequence) ? esc + sequence : '';
  }

  #control(character: string): string {
    if (character >= '@' && character <= '~') {
      const sequence = this.#sequence + character;
      this.#enter('text');
      if (!isHarmless(sequence)) return '';
      this.#noteModes(sequence);
      return `${esc}[${sequence}`;
    }
    // Controls inside a sequence are obeyed by terminals, so they are text.
    if (character < ' ') return this.#text(character);
    this.#sequence += character;
    return this.#sequence.length > maximumSequence ? this.#enter('text') : '';
  }

  #noteModes(sequence: string): void {
    const final = sequence.slice(-1);
    if (!sequence.startsWith('?') || (final !== 'h' && final !== 'l')) return;
    for (const mode of sequence.slice(1, -1).split(';')) if (this.#modes.size < 100) this.#modes.set(mode, final);
  }
}

function isHarmless(sequence: string): boolean {
  const final = sequence.slice(-1);
  const parameters = sequence.slice(0, -1);
  if (/^[\d;:]*$/.test(parameters)) return harmlessFinals.has(final);
  if (/^\?[\d;]*$/.test(parameters)) return privateFinals.has(final);
  // The shape of the cursor, and a soft reset.
  return (/^\d* $/.test(parameters) && final === 'q') || (parameters === '!' && final === 'p');
}
