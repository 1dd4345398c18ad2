import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Frame, frameTypes, maxDataBytes } from '../../src/protocol/frame.ts';
import { FrameReader } from '../../src/protocol/frame-reader.ts';
import { FakeRunner } from '../support/fake-runner.ts';

/** `FUZZ_RUNS` makes the long version: CI runs the small one. */
const runs = Number(process.env.FUZZ_RUNS ?? 300);
const types = Object.values(frameTypes);

function readAll(chunks: readonly Buffer[]): { frames: Frame[]; error: string | undefined } {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  try {
    for (const chunk of chunks) {
      reader.push(chunk, (frame) => {
        frames.push({ ...frame, payload: Buffer.from(frame.payload) });
        return true;
      });
    }
    return { frames, error: undefined };
  } catch (error) {
    return { frames, error: error instanceof Error ? error.message : 'not an error' };
  }
}

const anyFrame = fc
  .record({
    type: fc.oneof(fc.constantFrom(...types), fc.integer({ min: 0, max: 255 })),
    stream: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4), fc.integer({ min: 0, max: 0xffff_ffff })),
    lane: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 255 })),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .constantFrom('{"event":"started","pid":1}', '{"code":"x","message":"y"}', '{"reason":"lifetime"}')
        .map((text) => Buffer.from(text)),
      fc.constantFrom(Buffer.alloc(maxDataBytes), Buffer.alloc(maxDataBytes + 1), Buffer.from([0, 0, 0, 1])),
    ),
  })
  .map(({ type, stream, lane, payload }) => encodeFrame(type, stream, lane, payload));

describe('FrameReader', () => {
  it('reads the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 20 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames);
        const pieces: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        pieces.push(bytes.subarray(at));
        expect(readAll(pieces)).toEqual(readAll([bytes]));
      }),
      { numRuns: runs },
    );
  });

  it('makes no room for a length that is not allowed', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000; i += 1) readAll([Buffer.from('ffffffff00000001110000', 'hex')]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576);
  });
});

describe('a connection under random frames', () => {
  it('ends with a violation or goes on, and never throws, hangs or grows', async () => {
    let violations = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            anyFrame,
            fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
          ),
          { minLength: 1, maxLength: 30 },
        ),
        async (frames) => {
          const runner = new FakeRunner();
          await runner.greet();
          const told = Promise.withResolvers<void>();
          runner.connection.open({ kind: 'exec' }, { message() {}, closed: () => told.resolve() });
          for (const frame of frames) runner.raw(frame);
          await new Promise((resolve) => setImmediate(resolve));
          runner.channel.end();
          const end = await runner.connection.ended;
          expect(['violation', 'channel-ended', 'goodbye']).toContain(end.kind);
          if (end.kind === 'violation') violations += 1;
          runner.connection.abandon(Object.assign(new Error('over')) as never);
          await told.promise;
        },
      ),
      { numRuns: runs },
    );
    expect(violations).toBeGreaterThan(0);
  });
});
