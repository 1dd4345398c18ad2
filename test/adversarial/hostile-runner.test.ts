import { randomBytes } from 'node:crypto';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frameTypes } from '../../packages/core/src/protocol/frame.ts';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';
import { type TakenOver, withHostileRunners } from '../support/hostile-runner.ts';
import { largestGrowth } from '../support/memory.ts';

const mebibyte = 1_048_576;
/** Tells this file's sandboxes from those of the tests beside it. */
const labels = { 'nanoclaw-test.hostile': randomBytes(6).toString('hex') };
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describeEngine('a runner that was taken over', () => {
  const docker = createDockerRuntime({ host: dockerHost() });
  const hostile = withHostileRunners(docker);
  let neighbour: Sandbox;
  beforeAll(async () => {
    neighbour = await createSandbox({ runtime: docker, image: testImages.busybox, labels });
  });
  afterAll(async () => {
    await neighbour?.destroy();
    await docker.close();
  });

  const unharmed = async (): Promise<void> => {
    expect(await neighbour.exec(['echo', 'still here'])).toMatchObject({ exitCode: 0, stdout: 'still here\n' });
  };

  const violations: readonly [string, (runner: TakenOver) => Promise<void>][] = [
    ['a huge length', (runner) => runner.raw(Buffer.from('ffffffff00000001110000', 'hex'))],
    ['a length of 1 MiB and a byte', (runner) => runner.raw(Buffer.from('0010000100000001020000', 'hex'))],
    ['random bytes', (runner) => runner.raw(randomBytes(100_000))],
    ['an id that the host uses', (runner) => runner.frame(frameTypes.open, 1, 0, json({ kind: 'exec' }))],
    ['a stream that nobody opened', (runner) => runner.frame(frameTypes.data, 4_001, 0, Buffer.from('x'))],
    [
      'more data than its window',
      async (runner) => {
        for (let i = 0; i < 40; i += 1) await runner.frame(frameTypes.data, 3, 0, Buffer.alloc(32_768));
      },
    ],
    [
      'a second end',
      async (runner) => {
        const exited = json({ event: 'exited', exitCode: 0, signal: null, timedOut: false, oomKilled: false });
        await runner.frame(frameTypes.message, 1, 0, exited);
        await runner.frame(frameTypes.message, 1, 0, exited);
      },
    ],
    [
      'an end without a start',
      (runner) =>
        runner.frame(
          frameTypes.message,
          1,
          0,
          json({ event: 'exited', exitCode: 0, signal: 9, timedOut: false, oomKilled: false }),
        ),
    ],
    [
      'a flood of streams',
      async (runner) => {
        for (let id = 2; id < 2_000; id += 2) await runner.frame(frameTypes.open, id, 0, json({ kind: 'x' }));
      },
    ],
    [
      'a message with a __proto__',
      (runner) => runner.frame(frameTypes.message, 1, 0, Buffer.from('{"__proto__":{"exitCode":0}}')),
    ],
  ];

  it.each(violations)('loses its sandbox for %s, and nothing else happens', async (_name, attack) => {
    const growth = await largestGrowth(async () => {
      const sandbox = await createSandbox({ runtime: hostile.runtime, image: testImages.busybox, labels });
      const waiting = sandbox.exec(['sleep', '100']).then(
        () => 'an answer',
        (error: unknown) => error,
      );
      // A second one, stream 3, whose output nobody takes.
      await sandbox.spawn(['sleep', '100']);
      await attack(hostile.last());
      await expect(waiting).resolves.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
      await expect(sandbox.exec(['true'])).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
      await expect(sandbox.readFile('/etc/passwd')).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
      await sandbox.destroy();
      expect(await docker.inspect(sandbox.containerId, { signal: AbortSignal.timeout(5_000) })).toBeUndefined();
    });
    expect(growth).toBeLessThan(16 * mebibyte);
    await unharmed();
  });

  it('can make the host hold no more than its windows, by 1 GB for a reader that stopped', async () => {
    const sandbox = await createSandbox({ runtime: docker, image: testImages.busybox, labels });
    const growth = await largestGrowth(async () => {
      const process = await sandbox.spawn(['sh', '-c', 'exec head -c 1073741824 /dev/zero']);
      process.stdout.once('readable', () => undefined);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      // Backpressure holds: others go on beside it.
      expect((await sandbox.exec(['echo', 'beside'])).stdout).toBe('beside\n');
      process.kill();
      process.stdout.resume();
      await process.wait();
    });
    expect(growth).toBeLessThan(16 * mebibyte);
    await sandbox.destroy();
    await unharmed();
  });

  it('that is silent is given up after its lease', async () => {
    const sandbox = await createSandbox({
      runtime: hostile.runtime,
      image: testImages.busybox,
      labels,
      heartbeat: { leaseMs: 1_000, pingMs: 200 },
    });
    const waiting = sandbox.exec(['sleep', '100']).catch((error: unknown) => error);
    hostile.last().silence();
    await expect(waiting).resolves.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'host' } });
    await sandbox.destroy();
    await unharmed();
  });

  it('that claims success cannot hide that the engine ended the container', async () => {
    const sandbox = await createSandbox({ runtime: docker, image: testImages.busybox, labels });
    const waiting = sandbox.exec(['sleep', '100']).catch((error: unknown) => error);
    await docker.destroy(sandbox.containerId, { signal: AbortSignal.timeout(10_000) });
    await expect(waiting).resolves.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'engine' } });
  });

  describe('leaves', () => {
    it('no container but the neighbour', async () => {
      const list = await docker.list(labels, { signal: AbortSignal.timeout(5_000) });
      expect(list.map((container) => container.id)).toEqual([neighbour.containerId]);
    });
  });
});
