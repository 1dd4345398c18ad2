// Starts child processes and makes sure that none of them outlives a Ctrl-C.
import { spawn } from 'node:child_process';
import { installSignalHandlers, isInterrupted } from './interrupt.mjs';
import { PlainError, withHeartbeat } from './lines.mjs';

const TAIL_BYTES = 64 * 1024;

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
    child.on('error', (error) => reject(new PlainError(`Could not start '${command}': ${error.message}.`)));
    child.on('close', (code, signal) => {
      if (!isInterrupted()) resolve({ code, signal, output });
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
