/**
 * Makes text from inside a sandbox or from an engine safe to print and to put into a message: control characters, bidirectional
 * overrides and lone surrogates are escaped, and it is cut at `maxLength` characters.
 */
export function printable(text: string, maxLength = 2_000): string {
  const escaped = text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, (character) => {
      if (character === '\n') return '\\n';
      const code = character.codePointAt(0) ?? 0;
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
    });
  return escaped.length > maxLength ? `${escaped.slice(0, maxLength)}…` : escaped;
}
