import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createError, type SandboxRuntime } from '@nanoclaw/core';
import type { Cli } from './cli.ts';
import { messageOf } from './output.ts';
import { trackPending } from './pending-calls.ts';

const builtIn = ['auto', 'docker'];

export const runtimeOption = [
  '--runtime <name>',
  "'auto' (Docker for now), 'docker', or the path of a module that exports createRuntime()",
] as const;

/** Opens the runtime that `--runtime` names. The caller closes it. Throws `INVALID_ARGUMENT`. */
export async function openRuntime(name: string, cli: Cli): Promise<SandboxRuntime> {
  if (name === 'docker') return openDocker();
  if (name === 'auto') {
    cli.logger.debug(
      { runtime: 'docker' },
      'runtime chosen: Docker is the only engine that this version has a driver for',
    );
    return openDocker();
  }
  if (looksLikePath(name)) return loadRuntime(name);
  throw createError(
    'INVALID_ARGUMENT',
    `--runtime: expected ${builtIn.map((known) => `'${known}'`).join(', ')} or the path of a module such as './my-driver.js', found '${name}'.`,
    { path: 'runtime' },
  );
}

/** Loaded when it is wanted: what speaks to Docker is most of our start-up time. */
async function openDocker(): Promise<SandboxRuntime> {
  const { createDockerRuntime } = await import('@nanoclaw/driver-docker');
  return createDockerRuntime();
}

/** How long what an interrupted start left to tidy up may take. */
const tidyMs = 15_000;

/** Opens a runtime, hands it to `work`, and closes it whatever happens, once nothing is under way any more. */
export async function withRuntime<T>(
  name: string,
  cli: Cli,
  work: (runtime: SandboxRuntime) => Promise<T>,
): Promise<T> {
  const { runtime, settled } = trackPending(await openRuntime(name, cli));
  try {
    return await work(runtime);
  } finally {
    await settled(tidyMs);
    await runtime.close().catch((error: unknown) => cli.logger.warn({ err: error }, 'closing the runtime failed'));
  }
}

function looksLikePath(name: string): boolean {
  return /^\.{0,2}\//.test(name) || /\.(?:js|mjs|cjs|ts|mts)$/.test(name);
}

async function loadRuntime(path: string): Promise<SandboxRuntime> {
  const refuse = (why: string, cause?: unknown) =>
    createError('INVALID_ARGUMENT', `--runtime: '${path}' ${why}`, { path: 'runtime' }, cause);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refuse(`can't be loaded: ${messageOf(error)}. Expected an ES module that exports createRuntime().`, error);
  }
  const { createRuntime } = module;
  if (typeof createRuntime !== 'function') {
    const found = Object.keys(module).join(', ') || 'nothing';
    throw refuse(
      `exports no function named createRuntime (it exports ${found}). It must return a SandboxRuntime of @nanoclaw/core.`,
    );
  }
  let runtime: unknown;
  try {
    runtime = await (createRuntime as () => unknown)();
  } catch (error) {
    throw refuse(`failed in createRuntime(): ${messageOf(error)}.`, error);
  }
  const missing = missingMembers(runtime);
  if (missing.length > 0) {
    throw refuse(
      `returned no SandboxRuntime from createRuntime(): ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing. See the interface SandboxRuntime of @nanoclaw/core.`,
    );
  }
  return runtime as SandboxRuntime;
}

const methods = [
  'capabilities',
  'ensureImage',
  'listImages',
  'removeImage',
  'start',
  'inspect',
  'list',
  'destroy',
  'close',
] as const satisfies readonly (keyof SandboxRuntime)[];

function missingMembers(runtime: unknown): string[] {
  if (typeof runtime !== 'object' || runtime === null) return ['name', ...methods.map((name) => `${name}()`)];
  const has = (name: string, type: string): boolean => typeof Reflect.get(runtime, name) === type;
  return [
    ...(has('name', 'string') && Reflect.get(runtime, 'name') !== '' ? [] : ['name']),
    ...methods.filter((name) => !has(name, 'function')).map((name) => `${name}()`),
  ];
}
