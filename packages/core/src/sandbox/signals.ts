import { createError } from '../errors/nanoclaw-error.ts';

/** Linux signal names by number, as the sandbox has them, whatever this host is. */
const linuxSignals = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

export type SignalName = keyof typeof linuxSignals;

const names = new Map<number, string>(Object.entries(linuxSignals).map(([name, number]) => [number, name]));

/** `SIGKILL` for 9; `SIG34` for a real-time signal. */
export function signalName(number: number): string {
  return names.get(number) ?? `SIG${number}`;
}

/** The number for a name or a number. Throws `INVALID_ARGUMENT`. */
export function signalNumber(signal: SignalName | number): number {
  const number = typeof signal === 'number' ? signal : linuxSignals[signal];
  if (!Number.isInteger(number) || number < 1 || number > 64) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected a signal such as "SIGTERM" or a number from 1 to 64, found ${String(signal)}.`,
    );
  }
  return number;
}
