import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerSpec, createError, type NanoclawError, type StartedContainer } from '@nanoclaw/core';
import { createDiagnosticsTail } from '@nanoclaw/driver-kit';
import type { DockerApi } from './docker-api.ts';
import { attachDockerChannel } from './docker-channel.ts';
import type { DockerContainers } from './docker-containers.ts';
import { statusCodeOf, toDockerError, toStartError } from './docker-error.ts';
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
export async function startDockerContainer(
  parts: DockerStartParts,
  spec: ContainerSpec,
  signal: AbortSignal,
): Promise<DockerStarted> {
  const { api, events, containers } = parts;
  signal.throwIfAborted();
  await events.ready(signal);
  const body = toDockerCreateBody(spec, parts.engine);
  const diagnostics = createDiagnosticsTail();
  const watch = events.watch(spec.name);
  let existence: boolean | 'unknown' = 'unknown';
  let channel: StartedContainer['channel'] | undefined;
  let failed = false;

  try {
    const created = await create(api, spec.name, body, signal).catch((error: unknown) => {
      // An answer, and not a good one, is that there is none; without an answer nobody knows.
      if (statusCodeOf(error) !== undefined) existence = false;
      throw error;
    });
    existence = true;
    signal.throwIfAborted();
    const path = `/containers/${created.Id}`;
    const [attached, inspected] = await Promise.all([
      attachDockerChannel(api, created.Id, diagnostics, signal).then((value) => {
        channel = value;
        // It came after the start had failed.
        if (failed) value.destroy();
        return value;
      }),
      api.call<DockerInspect>({ method: 'GET', path: `${path}/json`, signal }),
    ]);
    const difference = toEnforcementError(compareDockerInspect(body, inspected), created.Warnings ?? [], spec.relaxed);
    if (difference !== undefined) throw difference;
    await api.call({ method: 'POST', path: `${path}/start`, signal });
    signal.throwIfAborted();

    attached.once('close', () => watch.checkSoon());
    return {
      id: created.Id,
      channel: attached,
      exited: watch.exited,
      diagnostics: () => diagnostics.text(),
      expectKill: watch.expectKill,
    };
  } catch (error) {
    watch.cancel();
    failed = true;
    channel?.destroy();
    const told = toStartError(toDockerError(error, api.endpoint), spec);
    await removeRemains(containers, spec.name, existence, told);
    throw told;
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
    return await api.call<Created>({
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body,
      signal: patience.signal,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** When the answer to a create call was lost, the container may come to be after we first looked. */
const lookAgainAfterMs = [0, 250, 1000, 3000];

/**
 * Removes by name, for the id may never have arrived. The name is unique, so what has it is ours, unless the engine said that
 * it was taken.
 */
async function removeRemains(
  containers: DockerContainers,
  name: string,
  created: boolean | 'unknown',
  cause: NanoclawError,
): Promise<void> {
  if (created === false) return;
  const signal = AbortSignal.timeout(cleanupMs);
  try {
    for (const delayMs of created === 'unknown' ? lookAgainAfterMs : [0]) {
      await sleep(delayMs, undefined, { signal });
      await containers.remove(name, signal);
    }
  } catch (error) {
    // The engine is gone: what it left is removed by the sweep, and the first error says more.
    if (cause.code === 'ENGINE_UNAVAILABLE') return;
    const why = error instanceof Error ? error.message : String(error);
    throw createError(
      'ENGINE_ERROR',
      `${cause.message} And the container ${name} could not be removed: ${why}`,
      {},
      cause,
    );
  }
}
