// A daemon of ours: survives the script that started it, logs to a file, and is found again by a record
// of its pid and start time.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { PlainError } from '../../scripts/lines.mjs';
import { lastLines } from '../../scripts/run-command.mjs';
import { identify, isRunning, signalProcess } from './process-identity.mjs';
import { readJson, writeAtomically } from './state.mjs';

const POLL_MS = 50;

/** Starts a daemon in a session of its own and records it at once, so that it can always be ended. */
export function startDaemon({ command, args, marker, logFile, recordFile, environment = process.env }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], cwd: '/', env: environment });
    child.on('error', () => {}); // no pid then: reported below
    if (child.pid === undefined) throw new PlainError(`Could not start '${command}': is it installed and executable?`);
    child.unref();
    const record = identify(child.pid, marker);
    writeAtomically(recordFile, JSON.stringify(record));
    return record;
  } finally {
    closeSync(log);
  }
}

/** The recorded daemon if it runs. */
export function runningDaemon(recordFile) {
  const record = readJson(recordFile);
  return isRunning(record) ? record : undefined;
}

/** Waits until `isReady()` resolves to true; a daemon that dies or stays silent is an error with its log's end. */
export async function waitUntilReady({ name, record, logFile, isReady, timeoutMs = 60_000 }) {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (await isReady()) return;
    if (!isRunning(record)) throw failure(`${name} ended while it was starting`, logFile);
    await sleep(POLL_MS);
  }
  throw failure(`${name} runs (pid ${record.pid}) but did not answer within ${timeoutMs / 1000} s`, logFile);
}

/** Ends a recorded daemon: SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
export async function stopDaemon(recordFile, { signal = 'SIGTERM', graceMs = 15_000 } = {}) {
  const record = readJson(recordFile);
  signalProcess(record, signal);
  await waitUntilGone(record, graceMs);
  signalProcess(record, 'SIGKILL');
  await waitUntilGone(record, 5_000);
  rmSync(recordFile, { force: true });
}

/** Waits until a recorded process is gone, at most `timeoutMs`. */
export async function waitUntilGone(record, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  while (isRunning(record) && Date.now() < deadline) await sleep(POLL_MS);
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function failure(what, logFile) {
  let tail = '(empty)';
  try {
    tail = lastLines(readFileSync(logFile, 'utf8'), 20);
  } catch {
    // no log: said as empty
  }
  return new PlainError(`${what}.\nEnd of ${logFile}:\n${tail}`);
}
