import { constants } from 'node:os';
import { isNanoclawError, type ProcessEnd } from '@nanoclaw/core';

/** Exit codes, as `docker run` and `timeout` have them. */
export const exitCodes = {
  /** `doctor` and `policy check`: the answer is no. Other commands but `run`: they failed. */
  failure: 1,
  /** Commands but `run`: called wrongly. */
  usage: 2,
  /** `run`: the command took too long. */
  timeout: 124,
  /** `run`: NanoClaw itself failed, or was called wrongly. */
  runFailure: 125,
  /** `run`: the command is there and can't be executed. */
  notExecutable: 126,
  /** `run`: there is no such command in the image. */
  notFound: 127,
  /** `run`: out of memory. */
  outOfMemory: 137,
  /** The reader of our output went away (SIGPIPE). */
  brokenPipe: 141,
} as const;

/** The exit code for a command that ran. */
export function exitCodeOfEnd(end: ProcessEnd): number {
  if (end.timedOut) return exitCodes.timeout;
  if (end.oomKilled && end.exitCode !== 0) return exitCodes.outOfMemory;
  if (end.exitCode !== null) return end.exitCode;
  return exitCodeOfSignal(end.signal ?? 'SIGKILL');
}

/** 128 and the signal's number, whose Linux value is meant, since the sandbox is Linux. */
export function exitCodeOfSignal(signal: string): number {
  const number = constants.signals[signal as NodeJS.Signals] ?? Number(signal.replace('SIG', ''));
  return 128 + (Number.isInteger(number) ? number : 0);
}

/** The exit code for an error, by the command that met it. */
export function exitCodeOfError(error: unknown, command: string): number {
  if (command !== 'run') return exitCodes.failure;
  if (!isNanoclawError(error)) return exitCodes.runFailure;
  switch (error.code) {
    case 'COMMAND_NOT_FOUND':
      return exitCodes.notFound;
    case 'COMMAND_NOT_EXECUTABLE':
      return exitCodes.notExecutable;
    case 'SANDBOX_GONE':
      if (error.details.reason === 'out-of-memory') return exitCodes.outOfMemory;
      return error.details.reason === 'lifetime' ? exitCodes.timeout : exitCodes.runFailure;
    default:
      return exitCodes.runFailure;
  }
}
