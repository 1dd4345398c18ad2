import { describe, expect, it } from 'vitest';
import { isNanoclawError } from '../../src/errors/nanoclaw-error.ts';
import type { ConnectionEnd } from '../../src/protocol/connection.ts';
import { frameTypes as types } from '../../src/protocol/frame.ts';
import { initialWindowBytes } from '../../src/protocol/lanes.ts';
import { FakeRunner, plausibleReport } from '../support/fake-runner.ts';

const listener = () => {
  const closed = Promise.withResolvers<unknown>();
  const messages: unknown[] = [];
  return {
    messages,
    ended: closed.promise,
    message: (value: Record<string, unknown>) => void messages.push(value),
    closed: (error: unknown) => closed.resolve(error),
  };
};

async function greeted(): Promise<FakeRunner> {
  const runner = new FakeRunner();
  await runner.greet();
  return runner;
}

function expectViolation(end: ConnectionEnd, text: RegExp): void {
  expect(end.kind).toBe('violation');
  if (end.kind !== 'violation') return;
  expect(isNanoclawError(end.error) && end.error.code).toBe('PROTOCOL_VIOLATION');
  expect(end.error.message).toMatch(text);
}

const credit = (bytes: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
};

describe('the greeting', () => {
  it('takes a WELCOME with the nonce that was sent', async () => {
    const runner = new FakeRunner();
    const welcome = runner.hello();
    const hello = await runner.next(types.hello, (payload) => JSON.parse(payload.toString()));
    expect(hello).toMatchObject({ protocol: 1, leaseMs: 30_000, user: { uid: 1000, gid: 1000 } });
    runner.sendJson(types.welcome, 0, { protocol: 1, nonce: hello.nonce, runner: '1', report: plausibleReport });
    await expect(welcome).resolves.toMatchObject({ runner: '1' });
  });

  it.each([
    ['another nonce', (_: string) => ({ protocol: 1, nonce: 'f'.repeat(32), runner: '1', report: plausibleReport })],
    ['another version', (nonce: string) => ({ protocol: 2, nonce, runner: '1', report: plausibleReport })],
    ['no report', (nonce: string) => ({ protocol: 1, nonce, runner: '1' })],
    ['a member too many', (nonce: string) => ({ protocol: 1, nonce, runner: '1', report: plausibleReport, extra: 1 })],
    [
      'a report with a wrong type',
      (nonce: string) => ({ protocol: 1, nonce, runner: '1', report: { ...plausibleReport, pid: 'one' } }),
    ],
  ])('refuses %s', async (_name, answer) => {
    const runner = new FakeRunner();
    const welcome = runner.hello();
    const { nonce } = await runner.next(types.hello, (payload) => JSON.parse(payload.toString()));
    runner.sendJson(types.welcome, 0, answer(nonce));
    await expect(welcome).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expectViolation(await runner.connection.ended, /nonce|wrong/);
  });

  it('takes no text of the engine for a runner, and shows what it read', async () => {
    const runner = new FakeRunner();
    const welcome = runner.hello();
    runner.raw(Buffer.from('exec /x: argument list too long\n\u001b]52;c;evil\u0007'));
    await expect(welcome).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expect(runner.connection.firstOutput).toBe('exec /x: argument list too long\\n\\x1b]52;c;evil\\x07');
  });

  it('takes nothing before it has greeted', async () => {
    const runner = new FakeRunner();
    runner.sendJson(types.goodbye, 0, { reason: 'lifetime' });
    expectViolation(await runner.connection.ended, /before it was greeted/);
  });
});

describe('a runner that breaks the rules', () => {
  it.each<[string, RegExp, (runner: FakeRunner, id: number) => void]>([
    ['a length of 0xFFFFFFFF', /bytes, expected/, (r) => r.raw(Buffer.from('ffffffff00000001110000', 'hex'))],
    [
      'a type that is unknown',
      /unknown frame type/,
      (r, id) => r.raw(Buffer.from(`00000000${id.toString(16).padStart(8, '0')}7f00`, 'hex')),
    ],
    ['a frame that only the host sends', /only the host sends/, (r) => r.send(types.ping, 0, 0, Buffer.alloc(8))],
    ['a second WELCOME', /only the host sends/, (r) => r.sendJson(types.welcome, 0, { protocol: 1 })],
    ['a PONG without a PING', /PONG/, (r) => r.send(types.pong, 0, 0, Buffer.alloc(8))],
    ['data on a stream that is not open', /not open/, (r) => r.send(types.data, 77, 0, Buffer.from('x'))],
    ['an id of the host', /id of ours/, (r) => r.sendJson(types.open, 99, { kind: 'x' })],
    [
      'an id used before',
      /used before/,
      (r) => {
        r.sendJson(types.open, 2, { kind: 'x' });
        r.sendJson(types.open, 2, { kind: 'x' });
      },
    ],
    [
      'data after END',
      /after the end/,
      (r, id) => {
        r.send(types.end, id);
        r.send(types.data, id, 0, Buffer.from('x'));
      },
    ],
    [
      'END twice',
      /ends twice/,
      (r, id) => {
        r.send(types.end, id);
        r.send(types.end, id);
      },
    ],
    [
      'a frame after CLOSE',
      /closed|not open/,
      (r, id) => {
        r.send(types.close, id);
        r.send(types.data, id, 0, Buffer.from('x'));
      },
    ],
    [
      'data beyond the window',
      /beyond the window/,
      (r, id) => {
        for (let i = 0; i < 2; i += 1) r.send(types.data, id, 0, Buffer.alloc(initialWindowBytes));
      },
    ],
    ['a credit of 0', /credit of 0/, (r, id) => r.send(types.credit, id, 0, credit(0))],
    ['more credit than any window', /largest window/, (r, id) => r.send(types.credit, id, 0, credit(0xffffffff))],
    ['credit for stderr', /carries nothing/, (r, id) => r.send(types.credit, id, 1, credit(1))],
    ['a lane that does not exist', /lane 2/, (r, id) => r.send(types.data, id, 2, Buffer.from('x'))],
    ['a message that is no JSON', /malformed/, (r, id) => r.send(types.message, id, 0, Buffer.from('{"a":'))],
    ['a duplicate key', /duplicate/, (r, id) => r.send(types.message, id, 0, Buffer.from('{"a":1,"a":2}'))],
    ['a __proto__ key', /__proto__/, (r, id) => r.send(types.message, id, 0, Buffer.from('{"__proto__":{}}'))],
    [
      'a __proto__ key in disguise',
      /__proto__/,
      (r, id) => r.send(types.message, id, 0, Buffer.from('{"\\u005f_proto__":{}}')),
    ],
    [
      'JSON nested too deep',
      /deep/,
      (r, id) => r.send(types.message, id, 0, Buffer.from(`${'{"a":'.repeat(9)}1${'}'.repeat(9)}`)),
    ],
    ['a number of 54 bits', /53 bits/, (r, id) => r.send(types.message, id, 0, Buffer.from('{"a":9007199254740993}'))],
    ['a RESET without a code', /RESET/, (r, id) => r.sendJson(types.reset, id, { message: 'x' })],
    [
      'a frame after GOODBYE',
      /after GOODBYE/,
      (r, id) => {
        r.sendJson(types.goodbye, 0, { reason: 'lifetime' });
        r.send(types.close, id);
      },
    ],
  ])('is cut off for %s', async (_name, text, misbehave) => {
    const runner = await greeted();
    const ear = listener();
    const stream = runner.connection.open({ kind: 'exec' }, ear);
    misbehave(runner, stream.id);
    const end = await runner.connection.ended;
    expectViolation(end, text);
    if (end.kind === 'violation') runner.connection.abandon(end.error);
    // Whoever waited on the stream is told, be it that the runner had closed it itself before it broke the rule.
    const told = await ear.ended;
    expect(told === undefined || (isNanoclawError(told) && told.code === 'PROTOCOL_VIOLATION')).toBe(true);
  });

  it('may open 256 streams of kinds unknown here, and not one more', async () => {
    const runner = await greeted();
    for (let id = 2; id <= 512; id += 2) runner.sendJson(types.open, id, { kind: 'egress' });
    const reset = await runner.next(types.reset, (payload) => JSON.parse(payload.toString()));
    expect(reset).toMatchObject({ code: 'unknown-kind' });
    runner.sendJson(types.open, 514, { kind: 'egress' });
    expectViolation(await runner.connection.ended, /too many streams/);
  });
});

describe('streams', () => {
  it('carry more than a window when the reader takes it, and stop when it does not', async () => {
    const runner = await greeted();
    const stream = runner.connection.open({ kind: 'exec' }, listener());
    let granted = initialWindowBytes;
    runner.onFrame = (frame) => {
      if (frame.type === types.credit) granted += frame.payload.readUInt32BE(0);
    };
    let taken = 0;
    let holding: Buffer[] | undefined;
    stream.input[0].consume({
      data(bytes) {
        taken += bytes.length;
        if (holding) holding.push(bytes);
        else stream.input[0].consumed(bytes.length);
      },
      end() {},
    });
    let sent = 0;
    const sendWhatFits = async (total: number) => {
      for (let idle = 0; sent < total && idle < 20; ) {
        const size = Math.min(granted - sent, initialWindowBytes, total - sent);
        if (size > 0) {
          runner.send(types.data, stream.id, 0, Buffer.alloc(size, 1));
          sent += size;
          idle = 0;
        } else idle += 1;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    await sendWhatFits(4_000_000);
    expect(taken).toBe(4_000_000);
    holding = [];
    await sendWhatFits(8_000_000);
    // The reader stopped: what the peer can still send is its window, which is bounded.
    expect(sent).toBeLessThan(4_000_000 + 1_048_576);
  });

  it('end when both sides have closed; frames in between are ignored', async () => {
    const runner = await greeted();
    const ear = listener();
    const stream = runner.connection.open({ kind: 'exec' }, ear);
    stream.reset('cancelled', 'enough');
    runner.send(types.data, stream.id, 0, Buffer.from('late'));
    runner.sendJson(types.message, stream.id, { event: 'late' });
    runner.send(types.close, stream.id);
    await expect(ear.ended).resolves.toMatchObject({ code: 'ABORTED' });
    expect(ear.messages).toEqual([]);
    // The id is dead now.
    runner.send(types.data, stream.id, 0, Buffer.from('x'));
    expectViolation(await runner.connection.ended, /not open/);
  });

  it('send in turn, so that a short one is not held up by a long one', async () => {
    const runner = await greeted();
    const long = runner.connection.open({ kind: 'write-file' }, listener());
    const short = runner.connection.open({ kind: 'exec' }, listener());
    void long.output.write(Buffer.alloc(10_000_000));
    void short.output.write(Buffer.from('ping'));
    await runner.next(types.data, (_, frame) => frame);
    for (let i = 0; i < 50 && !runner.received.some((f) => f.type === types.data && f.stream === short.id); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(runner.received.some((frame) => frame.type === types.data && frame.stream === short.id)).toBe(true);
    const sentLong = runner.received.filter((f) => f.type === types.data && f.stream === long.id);
    expect(sentLong.reduce((sum, frame) => sum + frame.payload.length, 0)).toBe(initialWindowBytes);
  });

  it('are at most 128 at a time', async () => {
    const runner = await greeted();
    for (let i = 0; i < 128; i += 1) runner.connection.open({ kind: 'exec' }, listener());
    expect(() => runner.connection.open({ kind: 'exec' }, listener())).toThrow(/At most 128/);
  });

  it('refuse a request that is too large before anything is sent', async () => {
    const runner = await greeted();
    const before = runner.received.length;
    const request = { kind: 'exec', argv: ['x'.repeat(3_000_000)] };
    expect(() => runner.connection.open(request, listener())).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
    expect(runner.received.length).toBe(before);
  });
});

describe('the lease', () => {
  const times = { leaseMs: 300, pingMs: 60 };

  it('pings when nothing else is said, and lives as long as it is answered', async () => {
    const runner = new FakeRunner(times);
    runner.onFrame = (frame) => {
      if (frame.type === types.ping) runner.send(types.pong, 0, 0, Buffer.from(frame.payload));
    };
    await runner.greet();
    await new Promise((resolve) => setTimeout(resolve, 900));
    const pings = runner.received.filter((frame) => frame.type === types.ping).length;
    expect(pings).toBeGreaterThan(3);
    const over = await Promise.race([runner.connection.ended, Promise.resolve('alive')]);
    expect(over).toBe('alive');
    runner.connection.close();
  });

  it('gives a silent runner up', async () => {
    const runner = new FakeRunner(times);
    await runner.greet();
    const end = await runner.connection.ended;
    expect(end.kind).toBe('silent');
  });

  it('survives a stall of this event loop that is longer than the lease', async () => {
    const runner = new FakeRunner(times);
    runner.onFrame = (frame) => {
      if (frame.type === types.ping) runner.send(types.pong, 0, 0, Buffer.from(frame.payload));
    };
    await runner.greet();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const until = performance.now() + 700;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await Promise.race([runner.connection.ended, Promise.resolve('alive')])).toBe('alive');
    runner.connection.close();
  });

  it('takes the end of the channel for the end, and GOODBYE for its reason', async () => {
    const runner = await greeted();
    runner.sendJson(types.goodbye, 0, { reason: 'lifetime' });
    runner.channel.end();
    await expect(runner.connection.ended).resolves.toEqual({ kind: 'goodbye', reason: 'lifetime' });
  });
});
