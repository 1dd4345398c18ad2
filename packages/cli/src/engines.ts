import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isNanoclawError, type RuntimeCapabilities, type SandboxRuntime } from '@nanoclaw/core';
import type { DockerRuntimeOptions } from '@nanoclaw/driver-docker';
import { messageOf } from './output.ts';

/** A place where an engine may be. */
export interface Candidate {
  /** As a person would name it: `DOCKER_HOST`, `Docker context "x"`, a socket's path. */
  readonly place: string;
  /** What `--runtime auto` uses. */
  readonly isDefault: boolean;
  readonly open: () => Promise<SandboxRuntime>;
}

/** What was found there. */
export type Found =
  | { readonly candidate: Candidate; readonly capabilities: RuntimeCapabilities }
  | { readonly candidate: Candidate; readonly error: { readonly code: string; readonly message: string } };

const timeoutMs = 10_000;

/** Asks every place where an engine may be, all at once. An engine that several places lead to is said once. */
export async function findEngines(env: NodeJS.ProcessEnv): Promise<readonly Found[]> {
  const found = await Promise.all(candidates(env).map(ask));
  const seen = new Set<string>();
  return found.filter((engine) => {
    if (!('capabilities' in engine)) return true;
    const endpoint = engine.capabilities.details.endpoint ?? engine.candidate.place;
    if (seen.has(endpoint)) return false;
    seen.add(endpoint);
    return true;
  });
}

async function openDocker(options: DockerRuntimeOptions): Promise<SandboxRuntime> {
  const { createDockerRuntime } = await import('@nanoclaw/driver-docker');
  return createDockerRuntime(options);
}

async function ask(candidate: Candidate): Promise<Found> {
  const runtime = await candidate.open();
  try {
    return { candidate, capabilities: await runtime.capabilities({ signal: AbortSignal.timeout(timeoutMs) }) };
  } catch (error) {
    const code = isNanoclawError(error) ? error.code : 'ENGINE_ERROR';
    const message = code === 'ABORTED' ? `It did not answer within ${timeoutMs / 1_000} s.` : messageOf(error);
    return { candidate, error: { code, message } };
  } finally {
    await runtime.close();
  }
}

/** The one that is used first, then all others that are there. */
function candidates(env: NodeJS.ProcessEnv): readonly Candidate[] {
  const place = env.DOCKER_HOST ? 'DOCKER_HOST' : env.DOCKER_CONTEXT ? 'DOCKER_CONTEXT' : "Docker's own choice";
  const withoutDefaults = Object.fromEntries(
    Object.entries(env).filter(([name]) => name !== 'DOCKER_HOST' && name !== 'DOCKER_CONTEXT'),
  );
  return [
    { place, isDefault: true, open: () => openDocker({ env }) },
    ...contextNames(env).map((name) => ({
      place: `Docker context ${JSON.stringify(name)}`,
      isDefault: false,
      open: () => openDocker({ env: withoutDefaults, context: name }),
    })),
    ...sockets(env)
      .filter((path) => existsSync(path))
      .map((path) => ({
        place: path,
        isDefault: false,
        open: () => openDocker({ env: withoutDefaults, host: `unix://${path}` }),
      })),
  ];
}

/** Where Docker and Podman (which answers on Docker's API too) listen by default. */
function sockets(env: NodeJS.ProcessEnv): readonly string[] {
  const runtimeDir = env.XDG_RUNTIME_DIR;
  return [
    '/var/run/docker.sock',
    ...(runtimeDir ? [join(runtimeDir, 'docker.sock')] : []),
    join(homedir(), '.docker', 'run', 'docker.sock'),
    ...(runtimeDir ? [join(runtimeDir, 'podman', 'podman.sock')] : []),
    '/run/podman/podman.sock',
  ];
}

function contextNames(env: NodeJS.ProcessEnv): readonly string[] {
  const directory = join(env.DOCKER_CONFIG || join(homedir(), '.docker'), 'contexts', 'meta');
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((id) => {
    try {
      const meta: unknown = JSON.parse(readFileSync(join(directory, id, 'meta.json'), 'utf8'));
      const name: unknown = typeof meta === 'object' && meta !== null ? Reflect.get(meta, 'Name') : undefined;
      return typeof name === 'string' ? [name] : [];
    } catch {
      return [];
    }
  });
}
