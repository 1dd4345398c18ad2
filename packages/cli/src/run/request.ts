import { realpath } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import {
  createError,
  type Policy,
  type PolicyInput,
  parseDuration,
  parseImageReference,
  parseSize,
} from '@nanoclaw/core';
import type { CommonOptions } from '../cli.ts';
import { messageOf } from '../output.ts';
import { loadPolicy } from '../policy-source.ts';

/** The flags of `run`, as they were written. */
export interface RunFlags extends CommonOptions {
  readonly runtime: string;
  readonly image?: string;
  readonly policy: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly cpuShares?: string;
  readonly pids?: string;
  readonly timeout?: string;
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly mount?: readonly string[];
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly copyIn?: readonly string[];
  readonly copyOut?: readonly string[];
}

export interface Copy {
  readonly source: string;
  readonly target: string;
}

/** What is to be run: every flag read, checked and decided, before any engine is spoken to. */
export interface RunRequest {
  readonly argv: readonly string[];
  readonly image: string;
  readonly policy: Policy;
  readonly env: Readonly<Record<string, string>>;
  readonly copyIn: readonly Copy[];
  readonly copyOut: readonly Copy[];
  readonly interactive: boolean;
  readonly terminal: boolean;
}

/** Reads the flags. Throws `INVALID_ARGUMENT`, `INVALID_POLICY`, `FILE_NOT_FOUND`. */
export async function readRunRequest(
  argv: readonly string[],
  flags: RunFlags,
  env: NodeJS.ProcessEnv,
): Promise<RunRequest> {
  const image = flags.image ?? env.NANOCLAW_IMAGE;
  if (image === undefined || image === '') {
    throw invalid(
      '--image',
      'no image was given: pass --image REF (for example --image python:3.13-slim), or set NANOCLAW_IMAGE',
    );
  }
  if (flags.tty && flags.json) throw invalid('--tty', 'a terminal and --json exclude each other: leave one out');
  if (flags.tty && flags.interactive && !process.stdin.isTTY) {
    throw invalid('--tty', 'standard input is no terminal: leave out -t, or -i');
  }
  return {
    argv,
    image: parseImageReference(image),
    policy: await loadPolicy(flags.policy, toOverrides(flags)),
    env: readEnvironment(flags.env ?? [], env),
    copyIn: await Promise.all((flags.copyIn ?? []).map(readCopyIn)),
    copyOut: (flags.copyOut ?? []).map((written) => {
      const { source, target } = readCopy('--copy-out', written, written.indexOf(':'));
      // `resolve` would drop the slash, and with it the wish for a directory.
      return { source, target: target.endsWith('/') ? `${resolve(target)}/` : resolve(target) };
    }),
    interactive: flags.interactive ?? false,
    terminal: flags.tty ?? false,
  };
}

function toOverrides(flags: RunFlags): PolicyInput {
  const { memory, cpus, cpuShares, pids, timeout, workdir, user, mount } = flags;
  const overrides: Record<string, unknown> = {
    memory: memory === undefined ? undefined : readFlag('--memory', () => parseSize(memory)),
    cpus: readNumber('--cpus', cpus),
    cpuShares: readNumber('--cpu-shares', cpuShares),
    pids: readNumber('--pids', pids),
    execTimeout: timeout === undefined ? undefined : readFlag('--timeout', () => parseDuration(timeout) && timeout),
    workdir,
    user,
    mounts: mount?.map(readMount),
  };
  // Every value is checked by the policy's own parser; what wasn't given must not even be named.
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as PolicyInput;
}

function readFlag<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalid(flag, messageOf(error));
  }
}

function readNumber(flag: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  if (!/^\d+(?:\.\d+)?$/.test(written)) throw invalid(flag, `expected a number, found '${written}'`);
  return Number(written);
}

function readMount(written: string): { source: string; target: string; readOnly: boolean } {
  const [source = '', target = '', mode = 'ro', ...rest] = written.split(':');
  if (source === '' || target === '' || (mode !== 'ro' && mode !== 'rw') || rest.length > 0) {
    throw invalid('--mount', `expected SRC:DST, SRC:DST:ro or SRC:DST:rw, found '${written}'`);
  }
  return { source: resolve(source), target, readOnly: mode === 'ro' };
}

/** `K=V`, or `K` for the value that it has here; one that has none here is left out, as `docker run` does. */
function readEnvironment(written: readonly string[], env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = written.flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=');
    if (at !== -1) return [[entry.slice(0, at), entry.slice(at + 1)]];
    const value = env[entry];
    return value === undefined ? [] : [[entry, value]];
  });
  return Object.fromEntries(entries);
}

async function readCopyIn(written: string): Promise<Copy> {
  const { source, target } = readCopy('--copy-in', written, written.lastIndexOf(':'));
  try {
    // What a link leads to is what is meant; links inside a directory stay links.
    const real = await realpath(source);
    return { source: real, target: target.endsWith('/') ? target + basename(source) : target };
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw createError(
      'FILE_NOT_FOUND',
      `--copy-in: ${missing ? `there is no file or directory '${source}' on this host` : messageOf(error)}. Check the path; it comes before the colon.`,
      { path: source },
      error,
    );
  }
}

/** The side of the sandbox has no colon in it, so that the other may. */
function readCopy(flag: string, written: string, colon: number): Copy {
  const source = written.slice(0, Math.max(colon, 0));
  const target = written.slice(colon + 1);
  if (source === '' || target === '') throw invalid(flag, `expected SRC:DST, found '${written}'`);
  return { source, target };
}

function invalid(path: string, message: string) {
  const text = `${path}: ${message.replace(/\.$/, '')}.`;
  return createError('INVALID_ARGUMENT', text, { path, problems: [{ path, message }] });
}
