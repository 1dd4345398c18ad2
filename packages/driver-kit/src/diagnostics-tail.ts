/** Keeps the last bytes of what an engine or a runner says beside the channel. */
export interface DiagnosticsTail {
  append(chunk: Uint8Array): void;
  /** The tail as text that is safe to print: at most `maxBytes`, control characters escaped, cut at the front. */
  text(): string;
}

const defaultMaxBytes = 16 * 1024;

/**
 * Creates a bounded tail. Costs nothing until something is appended, and never more than `maxBytes` of memory however
 * much is: a sandbox may write to stderr for ever.
 */
export function createDiagnosticsTail(maxBytes: number = defaultMaxBytes): DiagnosticsTail {
  let tail: Buffer | undefined;
  return {
    append(chunk) {
      if (chunk.length === 0) return;
      const kept = chunk.length > maxBytes ? chunk.subarray(chunk.length - maxBytes) : chunk;
      const room = maxBytes - kept.length;
      const before = tail === undefined ? undefined : tail.subarray(Math.max(0, tail.length - room));
      // Copied on purpose: `chunk` is a slice of a 64 KiB read, which would stay alive for a line of text.
      tail = before === undefined ? Buffer.from(kept) : Buffer.concat([before, kept]);
    },
    text() {
      if (tail === undefined) return '';
      const escaped = escapeControlCharacters(tail.toString('utf8'));
      return Buffer.byteLength(escaped) <= maxBytes ? escaped : lastBytes(escaped, maxBytes);
    },
  };
}

/** Makes text of unknown origin safe for a terminal and a log line: all but newline and tab is written as `\xNN` or `\u{N}`. */
export function escapeControlCharacters(text: string): string {
  // C0, DEL and C1 can drive a terminal; the bidirectional marks and line separators can disguise what is shown.
  return text.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    if (character === '\n' || character === '\t') return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

function lastBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  let start = bytes.length - maxBytes;
  // Not in the middle of a character.
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}
