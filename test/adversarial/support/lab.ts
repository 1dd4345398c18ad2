import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createSandbox,
  type ErrorCode,
  type ImageInfo,
  isNanoclawError,
  type NanoclawError,
  type PolicyInput,
  type Sandbox,
} from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { expect } from 'vitest';
import { dockerHost, testImages } from '../../support/engine.ts';

const payloadDirectory = fileURLToPath(new URL('../payloads', import.meta.url));
/** Where the payloads lie in a sandbox. */
export const payloads = '/workspace/payloads';

/** Long variants run with `NANOCLAW_LONG=1`. */
export const isLong = process.env.NANOCLAW_LONG === '1';

/** The engine as one test file uses it: its containers carry a label of their own, so that they can be counted. */
export class Lab implements AsyncDisposable {
  readonly runtime = createDockerRuntime({ host: dockerHost() });
  readonly #labels = { 'nanoclaw-test.lab': randomBytes(8).toString('hex') };
  readonly #directories: string[] = [];
  readonly #images: string[] = [];

  /** A sandbox of the Python image with the payloads in it. */
  async sandbox(policy: PolicyInput = {}, image: string = testImages.python): Promise<Sandbox> {
    const sandbox = await createSandbox({ runtime: this.runtime, image, policy, labels: this.#labels });
    await sandbox.upload(payloadDirectory, payloads);
    return sandbox;
  }

  /** How many containers of this lab the engine still has, in whatever state. */
  async containers(): Promise<number> {
    return (await this.runtime.list(this.#labels, { signal: AbortSignal.timeout(10_000) })).length;
  }

  /** What must be so after every case: a fresh sandbox does its work, and with it gone as many are left as there were. */
  async assertRecovered(left = 0): Promise<void> {
    const sandbox = await this.sandbox();
    const { exitCode, stdout } = await sandbox.exec(['python3', '-c', 'print(6 * 7)']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '42\n' });
    await sandbox.destroy();
    expect(await this.containers()).toBe(left);
  }

  /** An image made of these Dockerfile lines and files, on top of the Python image, without network. */
  async build(
    name: string,
    lines: readonly string[],
    files: Readonly<Record<string, string>> = {},
  ): Promise<ImageInfo> {
    const contextDir = await this.directory();
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(contextDir, path)), { recursive: true });
      await writeFile(join(contextDir, path), content);
    }
    await writeFile(join(contextDir, 'Dockerfile'), [`FROM ${testImages.python}`, ...lines, ''].join('\n'));
    const image = await this.runtime.ensureImage(
      {
        kind: 'build',
        contextDir,
        dockerfile: 'Dockerfile',
        buildArgs: {},
        labels: {},
        tag: `nanoclaw-test/adversarial-${name}:1`,
        key: `adversarial-${name}-${randomBytes(4).toString('hex')}`,
        network: 'none',
      },
      { signal: AbortSignal.timeout(60_000), onProgress: () => undefined },
    );
    this.#images.push(image.digest);
    return image;
  }

  /** An empty directory of this host, removed in the end. */
  async directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'nanoclaw-adversarial-'));
    this.#directories.push(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    for (const digest of this.#images) await this.runtime.removeImage(digest, { signal });
    for (const path of this.#directories) await rm(path, { recursive: true, force: true });
    await this.runtime.close();
  }
}

/** What a promise rejects with; a promise that resolves is a failure. */
export async function failure(promise: Promise<unknown>): Promise<NanoclawError> {
  const value = await promise.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  if ('result' in value) throw new Error(`expected a rejection, found ${JSON.stringify(value.result).slice(0, 300)}`);
  if (!isNanoclawError(value.error)) throw value.error;
  return value.error;
}

/** Asserts that a call is refused with one of these codes. */
export async function expectRefused(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<NanoclawError> {
  const error = await failure(promise);
  expect(codes, error.message).toContain(error.code);
  return error;
}

/** Runs a payload and answers what it printed, as JSON. */
export async function runPayload<T>(sandbox: Sandbox, name: string, ...args: readonly string[]): Promise<T> {
  const result = await sandbox.exec(['python3', '-B', `${payloads}/${name}.py`, ...args], {
    maxOutputBytes: 8 * 1_048_576,
  });
  if (result.exitCode !== 0)
    throw new Error(`${name} ${args.join(' ')} failed: ${JSON.stringify(result).slice(0, 2_000)}`);
  return JSON.parse(result.stdout) as T;
}

/** The pids in a sandbox, the listing's own left out: 1 is the runner. */
export async function pids(sandbox: Sandbox): Promise<readonly number[]> {
  const script = 'import os; print(*[p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()])';
  const { stdout, stderr, exitCode } = await sandbox.exec(['python3', '-c', script]);
  if (exitCode !== 0) throw new Error(`cannot list processes: ${stderr}`);
  return stdout.trim().split(' ').map(Number);
}

/** Asserts that nothing runs in a sandbox but its runner, and that it still does all its duties. */
export async function assertUsable(sandbox: Sandbox, running = 1): Promise<void> {
  expect(await pids(sandbox)).toHaveLength(running);
  const content = randomBytes(100_000);
  await sandbox.writeFile('/workspace/.usable', content);
  const { stdout } = await sandbox.exec(['cat', '/workspace/.usable'], { encoding: 'buffer' });
  expect(stdout.equals(content)).toBe(true);
  expect((await sandbox.readFile('/workspace/.usable')).equals(content)).toBe(true);
  await sandbox.remove('/workspace/.usable');
}

/**
 * Does some work and answers what nobody caught meanwhile: each of these would have ended a host process. The test
 * runner's own listeners stand aside, so that it is this that tells.
 */
export async function uncaughtDuring(work: () => Promise<void>): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const kept = events.map((event) => ({ event, listeners: process.rawListeners(event) }));
  const note = (error: unknown): void => void found.push(error);
  for (const event of events) {
    process.removeAllListeners(event);
    process.on(event, note);
  }
  try {
    await work();
    // Rejections are told of after the microtasks, errors of streams a tick later.
    await sleep(50);
  } finally {
    for (const { event, listeners } of kept) {
      process.off(event, note);
      for (const listener of listeners) process.on(event, listener as (error: unknown) => void);
    }
  }
  return found;
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
