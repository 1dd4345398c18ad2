import { Duplex } from 'node:stream';
import type { SandboxRuntime } from '@nanoclaw/core';
import { encodeFrame } from '../../packages/core/src/protocol/frame.ts';

/** What a test does to a runner that it has taken over. */
export interface TakenOver {
  /** Writes bytes to the host in the runner's name. */
  raw(bytes: Uint8Array): Promise<void>;
  frame(type: number, stream: number, lane?: number, payload?: Uint8Array): Promise<void>;
  /** From now on nothing of the real runner reaches the host, nor the other way round. */
  silence(): void;
}

/**
 * A runtime whose runners behave until their sandbox is attested, and are then at the test's mercy: the real container goes on behind, so
 * that everything around the channel is real.
 */
export function withHostileRunners(inner: SandboxRuntime): {
  readonly runtime: SandboxRuntime;
  readonly last: () => TakenOver;
} {
  let last: TakenOver | undefined;
  const runtime: SandboxRuntime = {
    name: inner.name,
    capabilities: (options) => inner.capabilities(options),
    ensureImage: (source, options) => inner.ensureImage(source, options),
    listImages: (labels, options) => inner.listImages(labels, options),
    removeImage: (digest, options) => inner.removeImage(digest, options),
    inspect: (id, options) => inner.inspect(id, options),
    list: (labels, options) => inner.list(labels, options),
    destroy: (id, options) => inner.destroy(id, options),
    close: () => inner.close(),
    async start(spec, options) {
      const started = await inner.start(spec, options);
      const { channel, control } = takeOver(started.channel);
      last = control;
      return { ...started, channel };
    },
  };
  return {
    runtime,
    last() {
      if (last === undefined) throw new Error('no sandbox was started');
      return last;
    },
  };
}

function takeOver(real: Duplex): { channel: Duplex; control: TakenOver } {
  let silent = false;
  let wanted: (() => void) | undefined;
  const channel = new Duplex({
    read() {
      wanted?.();
      wanted = undefined;
      real.resume();
    },
    write(chunk: Buffer, _encoding, callback) {
      if (silent) callback();
      else if (real.write(chunk)) callback();
      else real.once('drain', () => callback());
    },
    final(callback) {
      real.end();
      callback();
    },
    destroy(error, callback) {
      real.destroy();
      callback(error);
    },
  });
  real.on('data', (chunk: Buffer) => {
    if (!silent && !channel.push(chunk)) real.pause();
  });
  real.on('end', () => silent || channel.push(null));
  real.on('close', () => channel.destroy());
  real.on('error', () => channel.destroy());
  const raw = (bytes: Uint8Array): Promise<void> =>
    channel.destroyed || channel.push(bytes)
      ? Promise.resolve()
      : new Promise((resolve) => {
          wanted = resolve;
          channel.once('close', resolve);
        });
  return {
    channel,
    control: {
      raw,
      frame: (type, stream, lane = 0, payload = new Uint8Array(0)) => raw(encodeFrame(type, stream, lane, payload)),
      silence() {
        silent = true;
      },
    },
  };
}
