import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Control characters, and those that turn the direction of text; line feeds, carriage returns and tabs stay. */
const hostile = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Makes a sandbox's output safe for a terminal, where escape sequences can set the clipboard, the title, or type into the shell
 * that comes after us: they are shown instead of obeyed. Bytes that are no UTF-8 become U+FFFD.
 */
export class TextFilter extends Transform {
  readonly #decoder = new StringDecoder('utf8');

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    callback(null, Buffer.from(showControls(this.#decoder.write(chunk))));
  }

  override _flush(callback: TransformCallback): void {
    callback(null, Buffer.from(showControls(this.#decoder.end())));
  }
}

export function showControls(text: string): string {
  return text.replace(hostile, (character) => {
    if (character === '\n' || character === '\r' || character === '\t') return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
