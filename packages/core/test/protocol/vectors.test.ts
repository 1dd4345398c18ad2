import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isNanoclawError } from '../../src/errors/nanoclaw-error.ts';
import { encodeFrame } from '../../src/protocol/frame.ts';
import { FrameReader } from '../../src/protocol/frame-reader.ts';
import { parseStrictJson } from '../../src/protocol/strict-json.ts';
import { FakeRunner } from '../support/fake-runner.ts';

interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly frames: readonly {
    readonly type: number;
    readonly stream: number;
    readonly lane: number;
    readonly payloadHex: string;
  }[];
  readonly outcome: 'ok' | 'violation';
  readonly reason: string;
}

interface JsonVector {
  readonly name: string;
  readonly text?: string;
  readonly hex?: string;
  readonly outcome: 'ok' | 'violation';
}

function load<T>(name: string): readonly T[] {
  const file = new URL(`../../../../test/protocol-vectors/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as readonly T[];
}

function read(pieces: readonly Buffer[]) {
  const reader = new FrameReader();
  const frames: FrameVector['frames'][number][] = [];
  try {
    for (const piece of pieces) {
      reader.push(piece, ({ type, stream, lane, payload }) => {
        frames.push({ type, stream, lane, payloadHex: payload.toString('hex') });
        return true;
      });
    }
    return { frames, outcome: 'ok' };
  } catch (error) {
    if (!isNanoclawError(error)) throw error;
    return { frames, outcome: 'violation' };
  }
}

describe('frames.json', () => {
  const vectors = load<FrameVector>('frames.json');

  it.each(vectors)('$name', ({ hex, frames, outcome }) => {
    const bytes = Buffer.from(hex, 'hex');
    const expected = { frames, outcome };
    expect(read([bytes])).toEqual(expected);
    expect(read(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(expected);
    // Every cut in two for what is short, some for what is long.
    const step = Math.max(1, Math.floor(bytes.length / 200));
    for (let cut = 0; cut < bytes.length; cut += step) {
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
    }
  });

  it('are what our own encoder writes', () => {
    for (const { hex, frames, outcome } of vectors) {
      if (outcome !== 'ok') continue;
      const written = frames.map((frame) =>
        encodeFrame(frame.type, frame.stream, frame.lane, Buffer.from(frame.payloadHex, 'hex')),
      );
      // An unfinished frame may follow at the end.
      expect(hex.startsWith(Buffer.concat(written).toString('hex'))).toBe(true);
    }
  });
});

describe('streams.json', () => {
  it.each(load<FrameVector>('streams.json'))('$name', async ({ hex, outcome }) => {
    const runner = new FakeRunner();
    await runner.greet();
    runner.connection.open({ kind: 'exec' }, { message() {}, closed() {} });
    runner.raw(Buffer.from(hex, 'hex'));
    runner.channel.end();
    const end = await runner.connection.ended;
    expect(end.kind).toBe(outcome === 'ok' ? 'channel-ended' : 'violation');
  });
});

describe('json.json', () => {
  it.each(load<JsonVector>('json.json'))('$name', ({ text, hex, outcome }) => {
    const parse = () => parseStrictJson(hex === undefined ? Buffer.from(text ?? '') : Buffer.from(hex, 'hex'));
    if (outcome === 'ok') expect(parse).not.toThrow();
    else expect(parse).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }));
  });
});
