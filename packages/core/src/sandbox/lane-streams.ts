import { Readable, Writable } from 'node:stream';
import type { IncomingLane, OutgoingLane } from '../protocol/lanes.ts';
import { appendPiece, ByteCollector } from '../protocol/pieces.ts';

const readAheadBytes = 32_768;

/**
 * A lane as a Node stream: the peer may send more only as the reader takes bytes. `observe` sees the bytes as they come. It may
 * be destroyed with an error that nobody listens for (the sandbox's end): whoever reads is told, and nobody else is bothered.
 */
export function toReadable(lane: IncomingLane, observe: (bytes: Buffer) => void = () => undefined): Readable {
  const queue: Buffer[] = [];
  let ended = false;
  let wanted = false;
  const readable = new Readable({
    highWaterMark: readAheadBytes,
    read() {
      wanted = true;
      flush();
    },
    destroy(error, callback) {
      // Whoever stops reading doesn't stop the command: the rest is thrown away.
      for (const bytes of queue) lane.consumed(bytes.length);
      queue.length = 0;
      callback(error);
    },
  });
  const flush = (): void => {
    try {
      pass();
    } catch (error) {
      // A reader's own handler threw: that is the reader's, not the sandbox's doing.
      process.nextTick(() => {
        throw error;
      });
    }
  };
  const pass = (): void => {
    while (wanted) {
      const bytes = queue.shift();
      if (bytes === undefined) {
        if (ended) readable.push(null);
        return;
      }
      wanted = readable.push(bytes);
      lane.consumed(bytes.length);
    }
  };
  readable.on('error', () => undefined);
  lane.consume({
    data(bytes) {
      observe(bytes);
      if (readable.destroyed) lane.consumed(bytes.length);
      else {
        appendPiece(queue, bytes);
        flush();
      }
    },
    end() {
      ended = true;
      flush();
    },
  });
  return readable;
}

/** A lane as a Node stream; writing after the stream's end is no error, as the command may have ended without reading. */
export function toWritable(lane: OutgoingLane): Writable {
  const writable = new Writable({
    highWaterMark: readAheadBytes,
    write(chunk: Buffer, _encoding, callback) {
      lane.write(chunk).then(() => callback(), callback);
    },
    final(callback) {
      lane.end();
      callback();
    },
  });
  writable.on('error', () => undefined);
  return writable;
}

/** Keeps the first `limitBytes` of a lane and counts the rest. */
export class LaneCollector {
  readonly #limitBytes: number;
  readonly #kept = new ByteCollector();
  totalBytes = 0;

  constructor(lane: IncomingLane, limitBytes: number) {
    this.#limitBytes = limitBytes;
    lane.consume({
      data: (bytes) => {
        this.#keep(bytes);
        lane.consumed(bytes.length);
      },
      end() {},
    });
  }

  get truncated(): boolean {
    return this.totalBytes > this.#kept.length;
  }

  bytes(): Buffer {
    return this.#kept.bytes();
  }

  #keep(bytes: Buffer): void {
    this.totalBytes += bytes.length;
    const room = this.#limitBytes - this.#kept.length;
    if (room > 0) this.#kept.append(bytes.subarray(0, room));
  }
}
