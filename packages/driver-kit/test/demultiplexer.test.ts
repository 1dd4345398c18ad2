import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDemultiplexer, maxFramePayloadBytes } from '../src/demultiplexer.ts';

function frame(type: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function collect() {
  const found: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const demultiplexer = createDemultiplexer({
    stdout: (payload) => found.stdout.push(payload),
    stderr: (payload) => found.stderr.push(payload),
  });
  return { demultiplexer, stdout: () => Buffer.concat(found.stdout), stderr: () => Buffer.concat(found.stderr) };
}

describe('createDemultiplexer', () => {
  test('takes any frames apart, however they are cut into chunks', () => {
    const frames = fc.array(fc.record({ type: fc.constantFrom(1, 2, 3), payload: fc.uint8Array({ maxLength: 300 }) }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1, maxLength: 20 }), (list, cuts) => {
        const bytes = Buffer.concat(list.map(({ type, payload }) => frame(type, payload)));
        const { demultiplexer, stdout, stderr } = collect();
        for (let offset = 0, index = 0; offset < bytes.length; index += 1) {
          const length = cuts[index % cuts.length] ?? 1;
          demultiplexer.push(bytes.subarray(offset, offset + length));
          offset += length;
        }
        expect(demultiplexer.atBoundary).toBe(true);
        const expected = (types: number[]) =>
          Buffer.concat(list.filter(({ type }) => types.includes(type)).map(({ payload }) => payload));
        expect(stdout().equals(expected([1]))).toBe(true);
        expect(stderr().equals(expected([2, 3]))).toBe(true);
      }),
    );
  });

  test.each([
    ['stdin', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['an unknown type', [4, 0, 0, 0, 0, 0, 0, 1]],
    ['text', [...Buffer.from('hello wo')]],
    ['padding that is not zero', [1, 0, 1, 0, 0, 0, 0, 1]],
    ['a huge length', [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
    [
      'a length one too large',
      frame(1, Buffer.alloc(0))
        .fill(0, 4)
        .fill(Buffer.from([0, 0x10, 0, 1]), 4),
    ],
  ])('refuses %s', (_what, header) => {
    const whole = collect().demultiplexer;
    expect(() => whole.push(Buffer.from(header))).toThrow(expect.objectContaining({ code: 'ENGINE_ERROR' }));
    const split = collect().demultiplexer;
    split.push(Buffer.from(header).subarray(0, 3));
    expect(split.atBoundary).toBe(false);
    expect(() => split.push(Buffer.from(header).subarray(3))).toThrow(
      expect.objectContaining({ code: 'ENGINE_ERROR' }),
    );
  });

  test('takes the largest payload, without copying it', () => {
    const { demultiplexer, stdout } = collect();
    demultiplexer.push(frame(1, Buffer.alloc(maxFramePayloadBytes, 7)));
    expect(stdout().length).toBe(maxFramePayloadBytes);
  });
});
