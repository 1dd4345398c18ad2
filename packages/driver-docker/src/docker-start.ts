import { createError, type ContainerSpec, type StartedContainer } from '@nanoclaw/core';
import { createDiagnosticsTail } from '@nanoclaw/driver-kit';
import type { DockerApi } from './docker-api.ts';
import { attachDockerChannel } from './docker-channel.ts';
import type { DockerContainers } from './docker-containers.ts';
import { toDockerError, toStartError } from './docker-error.ts';
import type { DockerEvents } from './docker-events.ts';
import { compareDockerInspect, type DockerInspect, toEnforcementError } from './docker-inspect.ts';
import { type DockerSpecEngine, toDockerCreateBody } from './docker-spec.ts';

export interface DockerStartParts {
  readonly api: DockerApi;
  readonly events: DockerEvents;
  readonly containers: DockerContainers;
  readonly engine: DockerSpecEngine;
}

export interface DockerStarted extends StartedContainer {
  /** A kill that follows is ours. */
  readonly expectKill: () => void;
}

/** What is left of an engine that doesn't answer is not waited for longer than this. */
const createGraceMs = 10_000;
const cleanupMs = 30_000;

/**
 * Creates, attaches, compares and starts, in that order: nothing runs before the engine's own inspect is what was asked for,
 * and not a byte of output is missed. Whatever fails, the container is removed before the error is given.
 */
export async function startDockerContainer(parts: DockerStartParts, spec: ContainerSpec, signal: AbortSignal): Promise<DockerStarted> {
  const { api, events, containers } = parts;
  signal.throwIfAborted();
  await events.ready(signal);
  const body = toDockerCreateBody(spec, parts.engine);
  const diagnostics = createDiagnosticsTail();
  const watch = events.watch(spec.name);
  let channel: StartedContainer['channel'] | undefined;

  try {
    const created = await create(api, spec.name, body, signal);
    const path = `/containers/${created.Id}`;
    const [attached, inspected] = await Promise.all([
      attachDockerChannel(api, created.Id, diagnostics, signal).then((value) => {
        channel = value;
        return value;
      }),
      api.call<DockerInspect>({ method: 'GET', path: `${path}/json`, signal }),
    ]);
    const difference = toEnforcementError(compareDockerInspect(body, inspected), created.Warnings ?? [], spec.relaxed);
    if (difference !== undefined) throw difference;
    await api.call({ method: 'POST', path: `${path}/start`, signal }).catch((error: unknown) => {
      throw toStartError(toDockerError(error, api.endpoint), spec.command[0]);
    });
    signal.throwIfAborted();

    attached.once('close', () => watch.checkSoon());
    return { id: created.Id, channel: attached, exited: watch.exited, diagnostics: () => diagnostics.text(), expectKill: watch.expectKill };
  } catch (error) {
    watch.cancel();
    // An error nobody listens for would end the process.
    channel?.on('error', () => undefined);
    channel?.destroy();
    await removeRemains(containers, spec.name, error);
    throw error;
  }
}

interface Created {
  readonly Id: string;
  readonly Warnings?: readonly string[] | null;
}

/**
 * An abort does not cut a create call off: the engine would go on, and make the container after we had looked for it. The
 * answer is waited for, within limits, and what came of it removed.
 */
async function create(api: DockerApi, name: string, body: unknown, signal: AbortSignal): Promise<Created> {
  const patience = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => patience.abort(), createGraceMs);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const created = await api.call<Created>({ method: 'POST', path: '/containers/create', query: { name }, body, signal: patience.signal });
    signal.throwIfAborted();
    return created;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Removes by name, for the id may never have arrived. The name is unique, so what has it is ours, unless the engine said that
 * it was taken.
 */
async function removeRemains(containers: DockerContainers, name: string, cause: unknown): Promise<void> {
  if (cause instanceof Error && /Conflict\. The container name/.test(cause.message)) return;
  try {
    await containers.remove(name, AbortSignal.timeout(cleanupMs));
  } catch (error) {
    // The engine is gone: what it left is removed by the sweep, and the first error says more.
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENGINE_UNAVAILABLE') return;
    throw createError(
      'ENGINE_ERROR',
      `${cause instanceof Error ? cause.message : String(cause)} And the container ${name} could not be removed: ${error instanceof Error ? error.message : String(error)}`,
      {},
      cause,
    );
  }
}
