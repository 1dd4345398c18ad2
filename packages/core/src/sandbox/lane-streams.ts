import { Readable, Writable } from 'node:stream';
import type { IncomingLane, OutgoingLane } from '../protocol/lanes.ts';

const readAheadBytes = 32_768;

/** A lane as a Node stream: the peer may send more only as the reader takes bytes. */
export function toReadable(lane: IncomingLane): Readable {
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
  lane.consume({
    data(bytes) {
      if (readable.destroyed) lane.consumed(bytes.length);
      else {
        queue.push(Buffer.from(bytes));
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
  return new Writable({
    highWaterMark: readAheadBytes,
    write(chunk: Buffer, _encoding, callback) {
      lane.write(chunk).then(() => callback(), callback);
    },
    final(callback) {
      lane.end();
      callback();
    },
  });
}

/** Keeps the first `limitBytes` of a lane and counts the rest. */
export class LaneCollector {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #keptBytes = 0;
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
    return this.totalBytes > this.#keptBytes;
  }

  bytes(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
  }

  #keep(bytes: Buffer): void {
    this.totalBytes += bytes.length;
    const room = this.#limitBytes - this.#keptBytes;
    if (room <= 0) return;
    // A copy: a line of output must not hold on to the whole chunk that it came in.
    const piece = Buffer.from(bytes.subarray(0, room));
    this.#chunks.push(piece);
    this.#keptBytes += piece.length;
    if (this.#chunks.length >= 1_024) this.#chunks = [Buffer.concat(this.#chunks)];
  }
}
