import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createDiagnosticsTail } from '../src/diagnostics-tail.ts';
import { createStdioChannel } from '../src/stdio-channel.ts';

/** The engine's end of a connection: what is pushed comes out of the container, what was written went in. */
class FakeSocket extends Duplex {
  readonly written: Buffer[] = [];
  ended = false;
  #held: (() => void) | undefined;
  hold = false;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.written.push(chunk);
    if (this.hold) this.#held = callback;
    else callback();
  }
  override _final(callback: () => void): void {
    this.ended = true;
    callback();
  }
  release(): void {
    this.hold = false;
    this.#held?.();
  }
}

function frame(text: string | Buffer, type = 1): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function open(head: Buffer = Buffer.alloc(0)) {
  const socket = new FakeSocket();
  const diagnostics = createDiagnosticsTail();
  const channel = createStdioChannel({ socket, head, diagnostics });
  return { socket, diagnostics, channel };
}

async function read(channel: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of channel) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('createStdioChannel', () => {
  test('stdout is the channel, stderr the diagnostics, and what came with the answer is first', async () => {
    const { socket, diagnostics, channel } = open(frame('one '));
    socket.push(frame('two '));
    socket.push(frame('oops', 2));
    socket.push(frame('three'));
    socket.push(null);
    expect(await read(channel)).toBe('one two three');
    expect(diagnostics.text()).toBe('oops');
    expect(channel.destroyed).toBe(true);
  });

  test('a reader that stops, stops the socket', async () => {
    const { socket, channel } = open();
    for (let index = 0; index < 100; index += 1) socket.push(frame(Buffer.alloc(16 * 1024)));
    await sleep(20);
    expect(socket.isPaused()).toBe(true);
    expect(channel.readableLength).toBeLessThanOrEqual(128 * 1024);
    socket.push(null);
    expect((await read(channel)).length).toBe(100 * 16 * 1024);
  });

  test('a writer waits for the socket', async () => {
    const { socket, channel } = open();
    socket.hold = true;
    let accepted = 0;
    const block = Buffer.alloc(32 * 1024);
    while (channel.write(block)) accepted += 1;
    await sleep(20);
    expect(accepted).toBeLessThan(10);
    let drained = false;
    channel.once('drain', () => (drained = true));
    socket.release();
    await sleep(20);
    expect(drained).toBe(true);
  });

  test('ending it ends the input alone', async () => {
    const { socket, channel } = open();
    channel.end('last');
    await sleep(10);
    expect(socket.ended).toBe(true);
    expect(Buffer.concat(socket.written).toString()).toBe('last');
    socket.push(frame('after'));
    socket.push(null);
    expect(await read(channel)).toBe('after');
  });

  test('what is written after the container ended is dropped, and what it said stays readable', async () => {
    const { socket, channel } = open();
    socket.push(frame('bye'));
    socket.push(null);
    await sleep(10);
    await new Promise<void>((resolve, reject) =>
      channel.write('too late', (error) => (error ? reject(error) : resolve())),
    );
    expect(await read(channel)).toBe('bye');
  });

  test('framing that is broken, or ends inside a frame, is an error', async () => {
    const garbage = open();
    garbage.socket.push(Buffer.from('HTTP/1.1 500 Internal'));
    await expect(read(garbage.channel)).rejects.toMatchObject({ code: 'ENGINE_ERROR' });
    expect(garbage.socket.destroyed).toBe(true);
    const cut = open();
    cut.socket.push(frame('whole').subarray(0, 10));
    cut.socket.push(null);
    await expect(read(cut.channel)).rejects.toMatchObject({ message: expect.stringContaining('middle of a frame') });
  });

  test("an error of the socket's is the channel's", async () => {
    const { socket, channel } = open();
    const reading = read(channel);
    socket.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('destroying it destroys the socket', async () => {
    const { socket, channel } = open();
    channel.destroy();
    await sleep(1);
    expect(socket.destroyed).toBe(true);
  });
});
