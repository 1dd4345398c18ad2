import { assertHeader, type Frame, headerBytes } from './frame.ts';

const noBytes = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames. Buffers at most one incomplete frame, whose length was judged before
 * room was made for it; payloads that arrive whole are handed on without a copy. A payload is only good until `onFrame`
 * returns: the room for those that arrive in pieces is used again.
 */
export class FrameReader {
  #header = Buffer.alloc(headerBytes);
  #headerLength = 0;
  #room = noBytes;
  #gathering = false;
  #payloadLength = 0;

  /** Whether a frame has begun and is not complete. */
  get incomplete(): boolean {
    return this.#headerLength > 0;
  }

  /**
   * Takes the next bytes and calls `onFrame` for every frame that they complete. Throws `PROTOCOL_VIOLATION`.
   * Stops early when `onFrame` returns false.
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => boolean): void {
    let offset = 0;
    while (offset < chunk.length || this.#complete()) {
      if (this.#headerLength < headerBytes) {
        const take = Math.min(headerBytes - this.#headerLength, chunk.length - offset);
        chunk.copy(this.#header, this.#headerLength, offset, offset + take);
        this.#headerLength += take;
        offset += take;
        if (this.#headerLength < headerBytes) return;
        assertHeader(this.#length(), this.#header.readUInt32BE(4), this.#header[8] ?? 0, this.#header[9] ?? 0);
      }
      const length = this.#length();
      let payload: Buffer;
      if (!this.#gathering && chunk.length - offset >= length) {
        payload = length === 0 ? noBytes : chunk.subarray(offset, offset + length);
        offset += length;
      } else {
        if (this.#room.length < length) this.#room = Buffer.allocUnsafe(length);
        this.#gathering = true;
        const take = Math.min(length - this.#payloadLength, chunk.length - offset);
        chunk.copy(this.#room, this.#payloadLength, offset, offset + take);
        this.#payloadLength += take;
        offset += take;
        if (this.#payloadLength < length) return;
        payload = this.#room.subarray(0, length);
      }
      const frame: Frame = {
        type: this.#header[8] ?? 0,
        stream: this.#header.readUInt32BE(4),
        lane: this.#header[9] ?? 0,
        payload,
      };
      this.#headerLength = 0;
      this.#gathering = false;
      this.#payloadLength = 0;
      if (!onFrame(frame)) return;
    }
  }

  #length(): number {
    return this.#header.readUInt32BE(0);
  }

  /** A frame without payload is complete with its header. */
  #complete(): boolean {
    return this.#headerLength === headerBytes && this.#payloadLength === this.#length();
  }
}
