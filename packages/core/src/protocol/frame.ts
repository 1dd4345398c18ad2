import { violation } from './violation.ts';

/** Frame types; the numbers are part of the protocol (docs/protocol.md). */
export const frameTypes = {
  hello: 0x01,
  welcome: 0x02,
  ping: 0x03,
  pong: 0x04,
  control: 0x05,
  goodbye: 0x06,
  open: 0x10,
  data: 0x11,
  end: 0x12,
  credit: 0x13,
  message: 0x14,
  close: 0x15,
  reset: 0x16,
} as const;

export type FrameTypeName = keyof typeof frameTypes;

export interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly lane: number;
  readonly payload: Buffer;
}

export const protocolVersion = 1;
export const headerBytes = 10;
export const maxDataBytes = 32_768;
export const maxMessageBytes = 131_072;
export const maxOpenBytes = 1_048_576;

const payloadBounds: Readonly<Record<number, readonly [min: number, max: number]>> = {
  [frameTypes.hello]: [2, maxOpenBytes],
  [frameTypes.welcome]: [2, maxOpenBytes],
  [frameTypes.ping]: [8, 8],
  [frameTypes.pong]: [8, 8],
  [frameTypes.control]: [2, maxMessageBytes],
  [frameTypes.goodbye]: [2, maxMessageBytes],
  [frameTypes.open]: [2, maxOpenBytes],
  [frameTypes.data]: [1, maxDataBytes],
  [frameTypes.end]: [0, 0],
  [frameTypes.credit]: [4, 4],
  [frameTypes.message]: [2, maxMessageBytes],
  [frameTypes.close]: [0, 0],
  [frameTypes.reset]: [2, maxMessageBytes],
};

const lanedTypes: ReadonlySet<number> = new Set([frameTypes.data, frameTypes.end, frameTypes.credit]);

/** Judges a header before room is made for its payload. */
export function assertHeader(length: number, stream: number, type: number, lane: number): void {
  const bounds = payloadBounds[type];
  if (bounds === undefined) throw violation(`unknown frame type 0x${type.toString(16)}`);
  if (length < bounds[0] || length > bounds[1]) {
    throw violation(
      `a frame of type 0x${type.toString(16)} with ${length} bytes, expected ${bounds[0]} to ${bounds[1]} bytes`,
    );
  }
  if (lane > (lanedTypes.has(type) ? 1 : 0)) throw violation(`lane ${lane} on a frame of type 0x${type.toString(16)}`);
  if (type < frameTypes.open ? stream !== 0 : stream === 0) {
    throw violation(`stream ${stream} on a frame of type 0x${type.toString(16)}`);
  }
}

/** The bytes of one frame. */
export function encodeFrame(type: number, stream: number, lane: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length);
  bytes.writeUInt32BE(payload.length, 0);
  bytes.writeUInt32BE(stream, 4);
  bytes[8] = type;
  bytes[9] = lane;
  bytes.set(payload, headerBytes);
  return bytes;
}

export function encodeJson(type: number, stream: number, value: object): Buffer {
  return encodeFrame(type, stream, 0, Buffer.from(JSON.stringify(value)));
}
