/** Up to this size small pieces are put together, so that many of them don't cost more than their bytes. */
const mergedBytes = 4_096;

/** Keeps bytes at the end of a queue: a copy, so that a small piece doesn't hold on to the chunk that it came in. */
export function appendPiece(queue: Buffer[], bytes: Buffer): void {
  const last = queue.at(-1);
  if (last !== undefined && last.length + bytes.length <= mergedBytes)
    queue[queue.length - 1] = Buffer.concat([last, bytes]);
  else queue.push(Buffer.from(bytes));
}

/** Bytes put together in one growing buffer, however small the pieces come. */
export class ByteCollector {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2, 1_024));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  /** What was put together; the collector's own memory, so the last call on it. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
