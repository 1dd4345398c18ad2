import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExitCause } from '@nanoclaw/core';
import type { DockerApi } from './docker-api.ts';
import { statusCodeOf, toDockerError } from './docker-error.ts';
import { createJsonLineReader, numberMember, textMember } from './docker-json-lines.ts';
import { managedLabel } from './docker-spec.ts';

/** Watches one container, by the name it is going to have, from before it exists. */
export interface ExitWatch {
  /** Never rejects. */
  readonly exited: Promise<ExitCause>;
  /** The container is ended by us: a kill is then a kill, whatever ran out of memory in it before. */
  expectKill(): void;
  /** The channel has ended, so the end should be heard of soon; if it isn't, the engine is asked. */
  checkSoon(): void;
  /** Forgets the container, which was never started. */
  cancel(): void;
}

export interface DockerEvents {
  /** Resolves when the engine's events are being heard. */
  ready(signal: AbortSignal): Promise<void>;
  watch(containerName: string): ExitWatch;
  close(): void;
}

interface Watched {
  readonly name: string;
  readonly settle: (cause: ExitCause) => void;
  killExpected: boolean;
  outOfMemoryAtMs: number | undefined;
  settled: boolean;
  checking: boolean;
}

interface ContainerEvent {
  readonly action: string;
  readonly name: string;
  readonly exitCode: number;
}

/** An out-of-memory event is about the container's end only when it comes right before it: a child's may be long ago. */
const outOfMemoryWindowMs = 2000;
/** The engine tells of a death and of its cause on two ways, and the cause may arrive second. */
const outOfMemoryGraceMs = 150;
const checkAfterMs = 1000;

/**
 * One stream of events for all containers of a runtime. It is kept while the runtime lives, but keeps the process alive only
 * while a container is watched. When it breaks it is opened once more, and the engine asked about each container; when that
 * fails too, the engine is lost, and so are the containers as far as we can tell.
 */
export function createDockerEvents(api: DockerApi): DockerEvents {
  const watched = new Map<string, Watched>();
  let stream: Readable | undefined;
  let opening: Promise<void> | undefined;
  let closed = false;
  let lastEventSeconds: number | undefined;

  const holdProcess = (): void => {
    const socket: unknown = stream !== undefined && 'socket' in stream ? stream.socket : undefined;
    const method = watched.size > 0 ? 'ref' : 'unref';
    if (typeof socket === 'object' && socket !== null) {
      const apply: unknown = Reflect.get(socket, method);
      if (typeof apply === 'function') apply.call(socket);
    }
  };

  const settle = (entry: Watched, cause: ExitCause): void => {
    if (entry.settled) return;
    entry.settled = true;
    if (watched.get(entry.name) === entry) watched.delete(entry.name);
    entry.settle(cause);
    if (watched.size === 0) holdProcess();
  };

  const onEvent = (event: ContainerEvent): void => {
    const entry = watched.get(event.name);
    if (entry === undefined) return;
    switch (event.action) {
      case 'oom':
        entry.outOfMemoryAtMs = performance.now();
        return;
      case 'die':
        void settleDeath(entry, event.exitCode);
        return;
      case 'destroy':
        // After `die`, which settles in a moment if it was seen.
        setTimeout(
          () => settle(entry, { kind: 'unknown', reason: 'the engine removed the container' }),
          2 * outOfMemoryGraceMs,
        ).unref();
        return;
    }
  };

  const settleDeath = async (entry: Watched, exitCode: number): Promise<void> => {
    if (exitCode === 137 && !entry.killExpected && entry.outOfMemoryAtMs === undefined) await sleep(outOfMemoryGraceMs);
    const age =
      entry.outOfMemoryAtMs === undefined ? Number.POSITIVE_INFINITY : performance.now() - entry.outOfMemoryAtMs;
    const outOfMemory = exitCode === 137 && !entry.killExpected && age < outOfMemoryWindowMs;
    settle(entry, outOfMemory ? { kind: 'out-of-memory' } : toExitCause(exitCode));
  };

  const open = async (): Promise<void> => {
    const filters = { type: ['container' as const], event: ['die', 'oom', 'destroy'], label: [`${managedLabel}=true`] };
    const opened = (await api.docker.getEvents({
      filters,
      ...(lastEventSeconds === undefined ? {} : { since: lastEventSeconds }),
    })) as unknown as Readable;
    if (closed) {
      opened.destroy();
      return;
    }
    stream = opened;
    const readLines = createJsonLineReader((value) => {
      const event = parseEvent(value);
      if (event === undefined) return;
      lastEventSeconds = event.time ?? lastEventSeconds;
      onEvent(event);
    });
    opened.on('data', (chunk: Buffer) => {
      if (!readLines(chunk)) opened.destroy();
    });
    opened.on('error', () => undefined);
    opened.once('close', () => {
      if (stream !== opened) return;
      stream = undefined;
      if (!closed && watched.size > 0) void recover();
    });
    holdProcess();
  };

  const openOnce = (): Promise<void> => {
    if (stream !== undefined) return Promise.resolve();
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  };

  const recover = async (): Promise<void> => {
    try {
      await openOnce();
      await Promise.all([...watched.values()].map((entry) => ask(entry)));
    } catch {
      for (const entry of [...watched.values()]) settle(entry, { kind: 'unknown', reason: 'engine connection lost' });
    }
  };

  /** Asks the engine about a container whose end we may have missed. Answers whether it has ended. */
  const ask = async (entry: Watched): Promise<void> => {
    try {
      const found = await api.call<{ State?: { Status?: string; ExitCode?: number; OOMKilled?: boolean } }>({
        method: 'GET',
        path: `/containers/${encodeURIComponent(entry.name)}/json`,
      });
      const state = found.State ?? {};
      if (state.Status !== 'exited' && state.Status !== 'dead') return;
      settle(entry, state.OOMKilled === true ? { kind: 'out-of-memory' } : toExitCause(state.ExitCode ?? 0));
    } catch (error) {
      const gone = statusCodeOf(error) === 404;
      settle(entry, { kind: 'unknown', reason: gone ? 'the engine removed the container' : 'engine connection lost' });
    }
  };

  return {
    async ready(signal) {
      signal.throwIfAborted();
      try {
        await openOnce();
      } catch (error) {
        throw toDockerError(error, api.endpoint);
      }
    },
    watch(name) {
      const { promise, resolve } = Promise.withResolvers<ExitCause>();
      const entry: Watched = {
        name,
        settle: resolve,
        killExpected: false,
        outOfMemoryAtMs: undefined,
        settled: false,
        checking: false,
      };
      watched.set(name, entry);
      holdProcess();
      return {
        exited: promise,
        expectKill() {
          entry.killExpected = true;
        },
        checkSoon() {
          if (entry.settled || entry.checking) return;
          entry.checking = true;
          const again = (): void => {
            if (entry.settled || closed) return;
            void ask(entry).then(() => setTimeout(again, 2 * checkAfterMs).unref());
          };
          setTimeout(again, checkAfterMs).unref();
        },
        cancel() {
          settle(entry, { kind: 'unknown', reason: 'the container was never started' });
        },
      };
    },
    close() {
      closed = true;
      stream?.destroy();
      stream = undefined;
      for (const entry of [...watched.values()])
        settle(entry, { kind: 'unknown', reason: 'the connection to the engine was closed' });
    },
  };
}

/** As the engine and every shell have it: 128 and a signal's number is a death by that signal. */
export function toExitCause(exitCode: number): ExitCause {
  return exitCode > 128 && exitCode <= 128 + 64
    ? { kind: 'signal', signal: exitCode - 128 }
    : { kind: 'exit', exitCode };
}

function parseEvent(value: unknown): (ContainerEvent & { readonly time: number | undefined }) | undefined {
  const action = textMember(value, 'Action') ?? textMember(value, 'status');
  const name = textMember(value, 'Actor', 'Attributes', 'name');
  if (action === undefined || name === undefined) return undefined;
  // The engine writes numbers as text here.
  const exitCode = Number(textMember(value, 'Actor', 'Attributes', 'exitCode') ?? Number.NaN);
  return { action, name, exitCode: Number.isInteger(exitCode) ? exitCode : 255, time: numberMember(value, 'time') };
}
