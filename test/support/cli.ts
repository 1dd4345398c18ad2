import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { labelNames } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { dockerHost, testImages } from './engine.ts';

/** The command as it is installed: the built one. */
export const cliEntry = fileURLToPath(new URL('../../packages/cli/bin/nanoclaw.js', import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: Uint8Array | string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** As root, but without root's way past file permissions: whoever has no right to a socket. */
  readonly withoutOverride?: boolean;
  /** Called as soon as the process runs. */
  readonly during?: (child: ChildProcess) => Promise<void>;
}

/** Runs the command to its end. */
export async function nanoclaw(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { input, env, cwd, withoutOverride = false, during } = options;
  const limited = ['setpriv', '--inh-caps=-all', '--bounding-set=-dac_override,-dac_read_search'];
  const [command = process.execPath, ...before] = withoutOverride ? [...limited, process.execPath] : [process.execPath];
  const { NANOCLAW_LOG: _, ...inherited } = process.env;
  const child = spawn(command, [...before, cliEntry, ...args], {
    env: { ...inherited, DOCKER_HOST: dockerHost(), NANOCLAW_IMAGE: testImages.busybox, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  await during?.(child);
  const [code, signal] = await closed;
  return { code, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') };
}

export interface RunResult extends CliResult {
  /** Containers of this run that were there after it had ended. */
  readonly left: readonly string[];
}

/** `nanoclaw run`, under a user that no other run has, by which its containers are found again. */
export async function run(args: readonly string[], options: CliOptions = {}): Promise<RunResult> {
  const user = String(randomInt(1_000_000, 2_000_000));
  const result = await nanoclaw(['run', '--user', `${user}:${user}`, ...args], options);
  return { ...result, left: await containersOf(user) };
}

async function containersOf(user: string): Promise<string[]> {
  const runtime = createDockerRuntime({ host: dockerHost() });
  try {
    const found = await runtime.list({ [labelNames.uid]: user }, { signal: AbortSignal.timeout(10_000) });
    return found.map(({ name, state }) => `${name} ${state}`);
  } finally {
    await runtime.close();
  }
}

/** Resolves once a stream has said `text`. */
export async function says(stream: NodeJS.ReadableStream | null, text: string): Promise<void> {
  let seen = '';
  await new Promise<void>((resolve, reject) => {
    stream?.on('data', (chunk: Buffer) => {
      seen += chunk.toString('utf8');
      if (seen.includes(text)) resolve();
    });
    stream?.on('end', () => reject(new Error(`ended without "${text}": ${seen}`)));
  });
}
