// Starts child processes and makes sure that none of them outlives a Ctrl-C.
import { spawn } from 'node:child_process';
import { PlainError, withHeartbeat } from './lines.mjs';

const children = new Set();
const cleanups = new Set();
let interrupted = false;

const TAIL_BYTES = 64 * 1024;
const GRACE_MS = 10_000;

/** Registers work to do when a signal ends the script early; returns a function that takes it back. */
export function onInterrupt(cleanup) {
  cleanups.add(cleanup);
  installSignalHandlers();
  return () => cleanups.delete(cleanup);
}

/**
 * Runs a command to its end and answers `{ code, signal, output }`; never rejects for an exit code.
 * `stdio: "capture"` (the default) keeps the last 64 KiB of both streams in `output`;
 * `"inherit"` shows them live instead.
 */
export function runCommand(command, args, options = {}) {
  const { cwd, env = process.env, input, stdio = 'capture', onOutput } = options;
  installSignalHandlers();
  return new Promise((resolve, reject) => {
    const streams = stdio === 'inherit' ? 'inherit' : 'pipe';
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: [input === undefined ? (stdio === 'inherit' ? 'inherit' : 'ignore') : 'pipe', streams, streams],
    });
    children.add(child);
    let output = '';
    const collect = (chunk) => {
      output = (output + chunk).slice(-TAIL_BYTES);
      onOutput?.(chunk);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    if (input !== undefined) {
      child.stdin.on('error', () => {}); // a child that reads nothing is its own business
      child.stdin.end(input);
    }
    child.on('error', (error) => {
      children.delete(child);
      reject(new PlainError(`Could not start '${command}': ${error.message}.`));
    });
    child.on('close', (code, signal) => {
      children.delete(child);
      if (!interrupted) resolve({ code, signal, output });
    });
  });
}

/** Runs a command that has to succeed, quietly with a heartbeat; its output is shown if it fails. */
export async function mustRun(what, command, args, { cure = '', ...options } = {}) {
  const result = await withHeartbeat(what, () => runCommand(command, args, options));
  if (result.code === 0) return result;
  const ending = result.signal ? `was ended by ${result.signal}` : `exited with code ${result.code}`;
  const shown = result.output ? `Its last output:\n${lastLines(result.output, 25)}\n` : '';
  throw new PlainError(`${what}: '${[command, ...args].join(' ')}' ${ending}.\n${shown}${cure}`.trimEnd());
}

/** The last `count` lines of a text, indented. */
export function lastLines(text, count) {
  return text
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}

function installSignalHandlers() {
  if (process.listenerCount('SIGINT') > 0) return;
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.on(signal, () => endEverything(signal, exitCode));
  }
}

/** Asks every child to end, waits for them, then runs the cleanups and exits. */
async function endEverything(signal, exitCode) {
  if (interrupted) return;
  interrupted = true;
  process.stderr.write(`\nInterrupted (${signal}); ending what was started. Run the same command again to go on.\n`);
  const ended = [...children].map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of children) child.kill('SIGTERM');
  const force = setTimeout(() => {
    for (const child of children) child.kill('SIGKILL');
  }, GRACE_MS);
  await Promise.all(ended);
  clearTimeout(force);
  for (const cleanup of cleanups) {
    try {
      cleanup();
    } catch (error) {
      process.stderr.write(`Clean-up failed: ${error.message}\n`);
    }
  }
  process.exit(exitCode);
}
