import type { Readable, Writable } from 'node:stream';
import { createError } from '../errors/nanoclaw-error.ts';
import { parseEnvironment } from '../policy/environment.ts';
import type { Policy } from '../policy/policy.ts';
import type { ExecRequest, TerminalSize } from './sandbox-process.ts';

/** What `spawn` takes. */
export interface SpawnOptions {
  /** Added to the sandbox's environment, overriding it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute, or relative to `/workspace`. Default: the policy's `workdir`. */
  readonly cwd?: string;
  /** Milliseconds after which the command and all that it started is killed. 0 is never: a spawned process may live as long as its sandbox. */
  readonly timeoutMs?: number;
  /** Milliseconds between SIGTERM and SIGKILL at a timeout. Default 0: SIGKILL at once. */
  readonly killGraceMs?: number;
  /** Kills the command and all that it started. */
  readonly signal?: AbortSignal;
  /** Run in a terminal of this size (`true`: 80 by 24). Output is then one stream. */
  readonly pty?: boolean | TerminalSize;
  /** Whether standard input is a pipe (default for `spawn`) or `/dev/null`. */
  readonly stdin?: boolean;
}

/** What `exec` takes. */
export interface ExecOptions extends Omit<SpawnOptions, 'stdin'> {
  /** Standard input: all of it, or a stream. Default: none. */
  readonly input?: string | Uint8Array | Readable | AsyncIterable<Uint8Array>;
  /** Most bytes kept of stdout, and of stderr; the rest is read and thrown away. Default 4 MiB. */
  readonly maxOutputBytes?: number;
  /** Where stdout goes instead of the result, with backpressure. It is not ended. */
  readonly stdout?: Writable;
  /** Where stderr goes instead of the result, with backpressure. It is not ended. */
  readonly stderr?: Writable;
  /** `utf8` (default; bytes that are no UTF-8 become U+FFFD) or `buffer` (the bytes as sent). */
  readonly encoding?: 'utf8' | 'buffer';
}

export const defaultMaxOutputBytes = 4 * 1_048_576;
const defaultTerminal: TerminalSize = { columns: 80, rows: 24 };

/** Decides every field of a request. Throws `INVALID_ARGUMENT`, naming the field. */
export function toExecRequest(
  argv: readonly string[],
  options: SpawnOptions,
  context: {
    readonly policy: Policy;
    readonly env: Readonly<Record<string, string>>;
    readonly defaultTimeoutMs: number;
    readonly stdin: boolean;
  },
): ExecRequest {
  if (!Array.isArray(argv) || argv.length === 0 || argv[0] === '') {
    throw createError(
      'INVALID_ARGUMENT',
      'argv: expected the program and its arguments, e.g. ["python3", "-c", "print(1)"].',
      { path: 'argv' },
    );
  }
  argv.forEach((argument, index) => {
    if (typeof argument !== 'string' || argument.includes('\0')) {
      throw createError('INVALID_ARGUMENT', `argv[${index}]: expected a string without NUL characters.`, {
        path: `argv[${index}]`,
      });
    }
  });
  const cwd = options.cwd ?? context.policy.workdir;
  if (typeof cwd !== 'string' || cwd === '' || cwd.includes('\0') || /^\/proc(\/|$)/.test(cwd)) {
    throw createError('INVALID_ARGUMENT', 'cwd: expected a directory inside the sandbox, outside /proc.', {
      path: 'cwd',
    });
  }
  const pty = options.pty === true ? defaultTerminal : options.pty || null;
  if (pty !== null) assertTerminal(pty);
  return {
    argv,
    env: {
      ...context.env,
      ...(pty === null ? {} : { TERM: 'xterm-256color' }),
      ...(options.env && parseEnvironment(options.env)),
    },
    cwd,
    timeoutMs: toTimeout(options.timeoutMs ?? context.defaultTimeoutMs, context),
    killGraceMs: wholeNumber('killGraceMs', options.killGraceMs ?? 0, 0, 60_000),
    stdin: context.stdin,
    pty,
  };
}

export function assertTerminal(size: TerminalSize): void {
  wholeNumber('pty.columns', size.columns, 1, 65_535);
  wholeNumber('pty.rows', size.rows, 1, 65_535);
}

export function wholeNumber(path: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw createError(
      'INVALID_ARGUMENT',
      `${path}: expected a whole number from ${min} to ${max}, found ${String(value).slice(0, 50)}.`,
      { path },
    );
  }
  return value;
}

/** A command may ask for less time than the policy allows, never for more; only what is spawned may go without. */
function toTimeout(timeoutMs: number, context: { readonly policy: Policy; readonly defaultTimeoutMs: number }): number {
  if (timeoutMs === 0 && context.defaultTimeoutMs === 0) return 0;
  const limitMs = context.policy.execTimeoutMs;
  if (context.defaultTimeoutMs > 0 && typeof timeoutMs === 'number' && timeoutMs > limitMs) {
    throw createError(
      'INVALID_ARGUMENT',
      `timeoutMs: expected at most the policy's execTimeout of ${limitMs} ms, found ${timeoutMs}; raise execTimeout in the policy.`,
      { path: 'timeoutMs' },
    );
  }
  return wholeNumber('timeoutMs', timeoutMs, 1, 86_400_000);
}
