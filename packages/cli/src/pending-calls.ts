import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { SandboxRuntime } from '@nanoclaw/core';

/** A runtime that knows which of its starts and removals are still under way. */
export interface TrackedRuntime {
  readonly runtime: SandboxRuntime;
  /** Resolves when none is, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
}

/**
 * A start that is aborted is given up at once by whoever waits for it; what tidies up after it goes on behind. A process that
 * ends then would leave a container that was created and is removed only by somebody's next start, so it waits here.
 */
export function trackPending(inner: SandboxRuntime): TrackedRuntime {
  const pending = new Set<Promise<unknown>>();
  const track = <T>(call: Promise<T>): Promise<T> => {
    const settled: Promise<void> = call.then(
      () => undefined,
      () => undefined,
    );
    void settled.then(() => pending.delete(settled));
    pending.add(settled);
    return call;
  };
  return {
    runtime: {
      name: inner.name,
      capabilities: (options) => inner.capabilities(options),
      ensureImage: (source, options) => inner.ensureImage(source, options),
      listImages: (labels, options) => inner.listImages(labels, options),
      removeImage: (digest, options) => inner.removeImage(digest, options),
      inspect: (id, options) => inner.inspect(id, options),
      list: (labels, options) => inner.list(labels, options),
      close: () => inner.close(),
      start: (spec, options) => track(inner.start(spec, options)),
      destroy: (id, options) => track(inner.destroy(id, options)),
    },
    async settled(timeoutMs) {
      const deadline = sleep(timeoutMs, undefined, { ref: false });
      const deadlineMs = performance.now() + timeoutMs;
      while (pending.size > 0 && performance.now() < deadlineMs) {
        await Promise.race([Promise.all(pending), deadline]);
        // What arrived late is destroyed in the turns that follow.
        await nextTurn();
      }
    },
  };
}
