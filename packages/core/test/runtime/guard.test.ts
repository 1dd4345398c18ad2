import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createError } from '../../src/errors/nanoclaw-error.ts';
import type { Logger } from '../../src/logger.ts';
import type { ContainerSpec } from '../../src/runtime/container-spec.ts';
import { defaultDeadlines, RuntimeGuard } from '../../src/runtime/guard.ts';
import type { ImageInfo } from '../../src/runtime/image.ts';
import type { SandboxRuntime, StartedContainer } from '../../src/runtime/sandbox-runtime.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const spec = { name: 'nanoclaw-x', image: { digest: 'sha256:x' } } as ContainerSpec;

/** A driver whose every duty is the test's; a real engine can't be made to answer late on purpose. */
function runtimeWith(duties: Partial<SandboxRuntime>): SandboxRuntime {
  return {
    name: 'fake',
    capabilities: never,
    ensureImage: never,
    listImages: never,
    removeImage: never,
    start: never,
    inspect: never,
    list: never,
    destroy: never,
    close: () => Promise.resolve(),
    ...duties,
  };
}

function guarded(duties: Partial<SandboxRuntime>, deadlines = {}) {
  const events: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void events.push({ level, fields: { ...fields }, message });
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const guard = new RuntimeGuard(runtimeWith(duties), { logger, deadlines: { ...defaultDeadlines, ...deadlines } });
  return { guard, events };
}

const started = (id: string): StartedContainer => ({
  id,
  channel: new PassThrough(),
  exited: never(),
  diagnostics: () => '',
});

describe('RuntimeGuard', () => {
  it('ends a call at its deadline, says what was slow, and aborts the driver', async () => {
    let seen: AbortSignal | undefined;
    const { guard } = guarded(
      {
        list: (_labels, { signal }) => {
          seen = signal;
          return never();
        },
      },
      { queryMs: 20 },
    );
    await expect(guard.list({})).rejects.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
      details: { operation: 'list', timeoutMs: 20 },
    });
    expect(seen?.aborted).toBe(true);
  });

  it('passes an abort on at once, also to a driver that does not listen', async () => {
    const { guard } = guarded({});
    const controller = new AbortController();
    const call = guard.inspect('x', controller.signal);
    controller.abort(new Error('changed my mind'));
    await expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'changed my mind' } });
  });

  it('does not call the driver at all when it is aborted before', async () => {
    let called = false;
    const { guard } = guarded({
      destroy: async () => {
        called = true;
      },
    });
    await expect(guard.destroy('x', AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
    expect(called).toBe(false);
  });

  it('destroys a container that arrives after its caller has left', async () => {
    const late = Promise.withResolvers<StartedContainer>();
    const destroyed: string[] = [];
    const { guard } = guarded(
      {
        start: () => late.promise,
        destroy: async (id) => void destroyed.push(id),
      },
      { startMs: 10 },
    );
    await expect(guard.start(spec)).rejects.toMatchObject({ code: 'TIMEOUT' });
    const container = started('late-one');
    late.resolve(container);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(destroyed).toEqual(['late-one']);
    expect(container.channel.destroyed).toBe(true);
  });

  it('never destroys a container that was handed over, however close the abort comes', async () => {
    for (let round = 0; round < 500; round += 1) {
      const controller = new AbortController();
      const destroyed: string[] = [];
      const arriving = Promise.withResolvers<StartedContainer>();
      const { guard } = guarded({ start: () => arriving.promise, destroy: async (id) => void destroyed.push(id) });
      const call = guard.start(spec, controller.signal).then(
        () => 'handed over',
        () => 'refused',
      );
      const order = [() => arriving.resolve(started('it')), () => controller.abort()];
      if (round % 2 === 1) order.reverse();
      for (const step of order) {
        step();
        for (let tick = round % 7; tick > 0; tick -= 1) await Promise.resolve();
      }
      const outcome = await call;
      await new Promise((resolve) => setImmediate(resolve));
      // Exactly one owner: the caller, or nobody.
      expect(destroyed.length).toBe(outcome === 'handed over' ? 0 : 1);
    }
  });

  it('gives an image as long as it makes progress', async () => {
    const info = { digest: 'sha256:y' } as ImageInfo;
    const { guard } = guarded(
      {
        ensureImage: async (_source, { onProgress }) => {
          for (let step = 0; step < 5; step += 1) {
            await new Promise((resolve) => setTimeout(resolve, 25));
            onProgress({ phase: 'pull', message: `layer\u001b[2J ${step}`, completedBytes: step, totalBytes: 5 });
          }
          return info;
        },
      },
      { imageSilenceMs: 60 },
    );
    const messages: string[] = [];
    const source = { kind: 'reference', reference: 'x', pull: 'missing' } as const;
    await expect(guard.ensureImage(source, { onProgress: (step) => messages.push(step.message) })).resolves.toBe(info);
    // The engine's words are for people, and were written by whoever made the image.
    expect(messages[0]).toBe('layer\\x1b[2J 0');
  });

  it('makes an unknown failure ENGINE_ERROR and leaves ours as they are', async () => {
    const ours = createError('IMAGE_NOT_FOUND', 'no such image');
    const { guard } = guarded({
      inspect: () => Promise.reject(new Error('boom\u0007')),
      list: () => Promise.reject(ours),
      destroy: () => {
        throw new TypeError('a driver that throws at once');
      },
    });
    await expect(guard.inspect('x')).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      message: expect.stringContaining('boom\\x07'),
    });
    await expect(guard.list({})).rejects.toBe(ours);
    await expect(guard.destroy('x')).rejects.toMatchObject({ code: 'ENGINE_ERROR' });
  });

  it('logs one event per operation, with its time', async () => {
    const { guard, events } = guarded({
      list: () => Promise.resolve([]),
      inspect: () => Promise.reject(new Error('x')),
    });
    await guard.list({ a: 'b' });
    await guard.inspect('id').catch(() => undefined);
    expect(events.map((event) => [event.level, event.fields.operation, typeof event.fields.durationMs])).toEqual([
      ['debug', 'list', 'number'],
      ['warn', 'inspect', 'number'],
    ]);
  });
});
