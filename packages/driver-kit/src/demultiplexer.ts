import { createError } from '@nanoclaw/core';

/** What a demultiplexer finds. The slices share memory with the chunk that was pushed. */
export interface DemultiplexerSink {
  stdout(payload: Buffer): void;
  stderr(payload: Buffer): void;
}

export interface Demultiplexer {
  /** Takes the next bytes of the engine's stream. Throws `ENGINE_ERROR` where they are not what an engine writes. */
  push(chunk: Buffer): void;
  /** Whether the stream may end here: not inside a frame. */
  readonly atBoundary: boolean;
}

const headerBytes = 8;
const stdoutType = 1;
const stderrType = 2;
/** Docker's `Systemerr`: the daemon's own words. */
const engineErrorType = 3;

/** Docker writes at most 32 KiB in a frame and Podman 8 KiB: far more is not an engine, or not this framing. */
export const maxFramePayloadBytes = 1024 * 1024;

/**
 * Takes apart the framing that Docker and Podman put around a container's output where there is no terminal: one byte of
 * stream type, three zero bytes, a big-endian length, the payload (moby `pkg/stdcopy`). Nothing is copied or kept but an
 * unfinished header; a payload that is split over several chunks is passed on in parts.
 */
export function createDemultiplexer(sink: DemultiplexerSink): Demultiplexer {
  const header = Buffer.alloc(headerBytes);
  let headerFilled = 0;
  let remaining = 0;
  let type = 0;

  const acceptHeader = (bytes: Buffer, offset: number): void => {
    type = bytes[offset] ?? 0;
    remaining = bytes.readUInt32BE(offset + 4);
    const padding = (bytes[offset + 1] ?? 0) | (bytes[offset + 2] ?? 0) | (bytes[offset + 3] ?? 0);
    const known = type === stdoutType || type === stderrType || type === engineErrorType;
    if (known && padding === 0 && remaining <= maxFramePayloadBytes) return;
    const found = bytes.toString('hex', offset, offset + headerBytes);
    throw createError(
      'ENGINE_ERROR',
      `The engine's output stream broke its framing: expected stream type 1, 2 or 3 and a length of at most ${maxFramePayloadBytes}, ` +
        `found the header ${found}. Is there a proxy between NanoClaw and the engine, or does the container have a terminal?`,
    );
  };

  return {
    push(chunk) {
      let offset = 0;
      while (offset < chunk.length) {
        if (remaining === 0) {
          if (headerFilled === 0 && chunk.length - offset >= headerBytes) {
            acceptHeader(chunk, offset);
            offset += headerBytes;
          } else {
            const copied = chunk.copy(header, headerFilled, offset, offset + headerBytes - headerFilled);
            offset += copied;
            headerFilled += copied;
            if (headerFilled < headerBytes) return;
            headerFilled = 0;
            acceptHeader(header, 0);
          }
          continue;
        }
        const end = Math.min(chunk.length, offset + remaining);
        const payload = chunk.subarray(offset, end);
        remaining -= end - offset;
        offset = end;
        if (type === stdoutType) sink.stdout(payload);
        else sink.stderr(payload);
      }
    },
    get atBoundary() {
      return remaining === 0 && headerFilled === 0;
    },
  };
}
