import { Writable } from 'node:stream';

/** Keeps the first `limitBytes` of what is written. */
export class Collector extends Writable {
  readonly #limitBytes: number;
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  truncated = false;

  constructor(limitBytes: number) {
    super();
    this.#limitBytes = limitBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    const piece = chunk.subarray(0, this.#limitBytes - this.#kept);
    if (piece.length < chunk.length) this.truncated = true;
    this.#kept += piece.length;
    if (piece.length > 0) this.#chunks.push(piece);
    callback();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
