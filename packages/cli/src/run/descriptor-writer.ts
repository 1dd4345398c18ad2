import { write } from 'node:fs';
import { Writable } from 'node:stream';

const retryMs = 5;

/**
 * Writes to a descriptor without blocking the event loop. Node's own `process.stdout` blocks on pipes and terminals, and a
 * reader that takes its time (`| less`, Ctrl-S) would keep us from answering the sandbox, whose lease then lapses.
 */
export class DescriptorWriter extends Writable {
  readonly #descriptor: number;
  #writing = false;

  constructor(descriptor: number) {
    super({ highWaterMark: 262_144, decodeStrings: true });
    this.#descriptor = descriptor;
  }

  /** Whether the system still holds on to bytes that nobody reads. */
  get writing(): boolean {
    return this.#writing;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#writing = true;
    write(this.#descriptor, chunk, 0, chunk.length, null, (error, written) => {
      this.#writing = false;
      if (error === null) {
        if (written === chunk.length) callback();
        else this._write(chunk.subarray(written), _encoding, callback);
      } else if (error.code === 'EAGAIN' || error.code === 'EINTR') {
        // Somebody else who shares the descriptor made it non-blocking.
        setTimeout(() => this._write(chunk, _encoding, callback), retryMs);
      } else callback(error);
    });
  }
}
