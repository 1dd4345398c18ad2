// How the scripts talk: plain lines on standard output, no control characters, no colours, so that a
// terminal, a CI log and a pipe show the same thing.

/** Prints one line. */
export function say(line = '') {
  process.stdout.write(`${line}\n`);
}

let pendingStep;

/** Opens a step; its label is printed with the first note, so that a step is one line where it can be. */
export function openStep(label) {
  pendingStep = label;
}

/** Prints what the current step found or does. */
export function note(text) {
  say(pendingStep === undefined ? `      ${text}` : `${pendingStep}: ${text}`);
  pendingStep = undefined;
}

/** `1.2 s`, `2 min 5 s`: a duration for people. */
export function formatDuration(durationMs) {
  const seconds = durationMs / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * Runs `work` and prints a line every `everyMs` while it lasts, so that nobody takes a long step for a
 * hanging one. `detail` may add what is known about the progress.
 */
export async function withHeartbeat(what, work, { everyMs = 10_000, detail = () => '' } = {}) {
  const startedAt = Date.now();
  const timer = setInterval(() => {
    const more = detail();
    note(`… ${what}, ${formatDuration(Date.now() - startedAt)} so far${more ? ` (${more})` : ''}`);
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** An error whose message is all that the reader needs: expected, found, next step. No stack trace. */
export class PlainError extends Error {}

/** Runs a script's main function; a `PlainError` becomes its message and exit code 1. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(`\n${error instanceof PlainError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
