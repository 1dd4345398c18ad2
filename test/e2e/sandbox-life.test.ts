import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

describeEngine('a sandbox', () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ runtime, image: testImages.python, env: { GREETING: 'hello' } });
  });
  afterAll(async () => {
    await sandbox?.destroy();
    await runtime.close();
  });

  it('forwards a port, both directions, half-closed too', async () => {
    const server = await sandbox.spawn([
      'python3',
      '-c',
      `import socket
s=socket.create_server(('127.0.0.1',8000)); print('up',flush=True)
while True:
    c,_=s.accept()
    data=b''
    while (d:=c.recv(65536)): data+=d
    c.sendall(data[::-1]); c.close()`,
    ]);
    await server.stdout[Symbol.asyncIterator]().next();
    await using forward = await sandbox.forwardPort(8000);
    const ask = async (bytes: Buffer): Promise<Buffer> => {
      const socket = connect({ port: forward.port, host: forward.host, allowHalfOpen: true });
      socket.end(bytes);
      return buffer(socket);
    };
    const sent = randomBytes(2_000_000);
    expect((await ask(sent)).equals(Buffer.from(sent).reverse())).toBe(true);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(Buffer.from(`request ${i}`))));
    expect(answers.map(String)).toEqual(Array.from({ length: 20 }, (_, i) => [...`request ${i}`].reverse().join('')));
    await using nobody = await sandbox.forwardPort(9);
    const refused = connect({ port: nobody.port, host: nobody.host });
    refused.on('error', () => undefined);
    await new Promise((resolve) => refused.on('close', resolve));
  });

  it('shows what was verified, every control with its evidence', () => {
    const { controls, product } = sandbox.attestation;
    expect(product).toBe('Docker Engine');
    expect(controls.length).toBeGreaterThan(20);
    expect(controls.filter((control) => control.outcome !== 'verified')).toEqual([]);
  });

  describe('that is gone', () => {
    it('says so on every call that waits and every later one: destroyed', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox });
      const waiting = [
        doomed.exec(['sleep', '100']),
        doomed.spawn(['sleep', '100']).then((process) => process.wait()),
        doomed.writeFile('x', new PassThrough()),
      ];
      const errors = Promise.all(
        waiting.map((call) =>
          call.then(
            () => undefined,
            (error: unknown) => error,
          ),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      await Promise.all([doomed.destroy(), doomed.destroy()]);
      for (const error of await errors)
        expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'destroyed' } });
      const later = [
        () => doomed.exec(['true']),
        () => doomed.readFile('x'),
        () => doomed.list('.'),
        () => doomed.forwardPort(80),
        () => doomed.spawn(['true']),
      ];
      for (const call of later)
        await expect(call()).rejects.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'destroyed' } });
      expect(await runtime.inspect(doomed.containerId, { signal: AbortSignal.timeout(5_000) })).toBeUndefined();
    });

    it('by its lifetime', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox, policy: { lifetime: '1s' } });
      await expect(doomed.exec(['sleep', '100'])).rejects.toMatchObject({
        code: 'SANDBOX_GONE',
        details: { reason: 'lifetime' },
      });
      await doomed.destroy();
    });

    it('by being idle, but not while something runs', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox, policy: { idle: '1s' } });
      expect((await doomed.exec(['sleep', '1.5'])).exitCode).toBe(0);
      const error = await doomed.gone;
      expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'lifetime' } });
      expect(error.message).toContain('idle');
      await doomed.destroy();
    });
  });

  it('uses up a command for lack of memory, says so, and lives on', async () => {
    await using small = await createSandbox({ runtime, image: testImages.python, policy: { memory: '128m' } });
    const result = await small.exec(['python3', '-c', 'x=[]\nwhile True: x.append(bytearray(1<<20))']);
    expect(result).toMatchObject({ signal: 'SIGKILL', exitCode: null, oomKilled: true, timedOut: false });
    expect(await small.exec(['echo', 'alive'])).toMatchObject({ stdout: 'alive\n', oomKilled: false });
  });

  it('mounts what the policy names, and never what leads to the engine', async () => {
    const host = await mkdtemp(join(tmpdir(), 'nanoclaw-mount-'));
    try {
      // It is read by a uid that is nobody's on this host.
      await chmod(host, 0o755);
      await writeFile(join(host, 'seen'), 'from the host');
      await using mounted = await createSandbox({
        runtime,
        image: testImages.busybox,
        policy: { mounts: [{ source: host, target: '/data' }] },
      });
      expect((await mounted.exec(['cat', '/data/seen'])).stdout).toBe('from the host');
      expect((await mounted.exec(['touch', '/data/x'])).stderr).toContain('Read-only file system');
      const socketDirectory = dirname(dockerHost().replace('unix://', ''));
      const policy = { mounts: [{ source: socketDirectory, target: '/engine' }] };
      await expect(createSandbox({ runtime, image: testImages.busybox, policy })).rejects.toMatchObject({
        code: 'INVALID_POLICY',
      });
    } finally {
      await rm(host, { recursive: true, force: true });
    }
  });

  it('aborts a start, leaving nothing', async () => {
    for (const delayMs of [0, 5, 30, 80, 150, 250]) {
      const controller = new AbortController();
      const label = { 'nanoclaw.abort': `t${delayMs}` };
      const starting = createSandbox({ runtime, image: testImages.busybox, signal: controller.signal, labels: label });
      setTimeout(() => controller.abort(), delayMs);
      await starting.then(
        (made) => made.destroy(),
        (error: unknown) => expect(error).toMatchObject({ code: 'ABORTED' }),
      );
      let left: readonly unknown[] = ['?'];
      for (let i = 0; i < 50 && left.length > 0; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        left = await runtime.list(label, { signal: AbortSignal.timeout(5_000) });
      }
      expect(left).toEqual([]);
    }
  });
});
