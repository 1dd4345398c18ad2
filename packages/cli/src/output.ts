import { type ErrorCode, isNanoclawError, type NanoclawError, printable } from '@nanoclaw/core';

/** One line of a result. */
export function say(line = ''): void {
  process.stdout.write(`${safe(line)}\n`);
}

/** One line to the person, beside the result. */
export function complain(line: string): void {
  process.stderr.write(`nanoclaw: ${safe(line)}\n`);
}

export function sayJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Engines and sandboxes have a word in what we print, and terminals obey control characters: only line feeds stay. */
export function safe(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line, 4_000))
    .join('\n');
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    });
  return rows
    .map(
      (row) => indent + row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Cuts a sentence into lines of at most `width` characters. */
export function wrap(text: string, indent: string, width = 110): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + word.length + 1 > width) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  return [...lines, line].join('\n');
}

/** What `--json` says of an error. */
export function toErrorJson(error: unknown): object {
  if (!isNanoclawError(error)) return { code: 'UNEXPECTED', message: messageOf(error), retryable: false };
  const { code, message, retryable, details } = error;
  return { code, message, retryable, ...(Object.keys(details).length === 0 ? {} : { details }) };
}

/** What is said of an error: our own message, which has the next step; a stack only where somebody looks for one. */
export function describeError(error: unknown, verbose: boolean): string {
  const text = isNanoclawError(error)
    ? withNextStep(error)
    : `unexpected error: ${messageOf(error)}${verbose ? '' : '. --verbose shows where; please report it.'}`;
  const stack = verbose && error instanceof Error ? `\n${stackOf(error)}` : '';
  return `${text}${stack}`;
}

const nextSteps: Partial<Record<ErrorCode, string>> = {
  COMMAND_NOT_FOUND: 'Check the name, or use an image that has it.',
  COMMAND_NOT_EXECUTABLE: 'Give it the right, or run it through its interpreter (sh FILE, python3 FILE).',
};

/** Core's messages end with what to do, where core can know it. */
function withNextStep({ code, message, details }: NanoclawError): string {
  const step =
    details.path === undefined && code === 'NO_SPACE' && / in the sandbox/.test(message)
      ? "A policy gives it more room: raise 'scratch', and 'memory' to match."
      : nextSteps[code];
  return step === undefined ? message : `${message.replace(/[.\s]*$/, '')}. ${step}`;
}

function stackOf(error: Error): string {
  const { cause } = error;
  return `${error.stack ?? error.message}${cause instanceof Error ? `\ncaused by: ${stackOf(cause)}` : ''}`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
