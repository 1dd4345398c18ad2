import {
  createSandbox,
  defaultDeadlines,
  managedLabels,
  RuntimeGuard,
  type Sandbox,
  silentLogger,
  sweep,
} from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterEach, expect, it } from 'vitest';
import { describeEngine, testImages } from '../support/engine.ts';
import { loadTestImages, startDockerd, type ThrowAwayEngine } from '../support/throw-away-engine.ts';

const rounds = Number(process.env.KILL_ROUNDS ?? 10);
const lease = { leaseMs: 4_000, pingMs: 1_000 };

describeEngine('the engine dies', () => {
  const open: ThrowAwayEngine[] = [];
  afterEach(async () => {
    for (const engine of open.splice(0)) await engine.stop();
  });

  async function engine(): Promise<ThrowAwayEngine> {
    const started = await startDockerd({});
    open.push(started);
    await loadTestImages(started.host);
    return started;
  }

  it(`kill -9 of dockerd, ${rounds} times: every waiting call is told at once, and nothing outlives the lease`, async () => {
    const docker = await engine();
    for (let round = 0; round < rounds; round += 1) {
      const runtime = createDockerRuntime({ host: docker.host });
      const sandboxes = await Promise.all(
        [0, 1].map(() => createSandbox({ runtime, image: testImages.busybox, heartbeat: lease })),
      );
      const [first, second] = sandboxes as [Sandbox, Sandbox];
      const waiting = [
        first.exec(['sleep', '100']),
        first.exec(['sh', '-c', 'while :; do echo x; done'], { maxOutputBytes: 10 }),
        second.writeFile('/workspace/x', endless()),
        second.spawn(['sleep', '50']).then((process) => process.wait()),
      ].map((call) =>
        call.then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
      const killedAtMs = performance.now();
      await docker.kill('SIGKILL');
      const errors = await Promise.all(waiting);
      // "At once" is a matter of the engine's connection breaking, not of a lease or a deadline.
      expect(performance.now() - killedAtMs).toBeLessThan(lease.leaseMs);
      for (const error of errors) expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'engine' } });
      await expect(first.exec(['true'])).rejects.toMatchObject({ code: 'SANDBOX_GONE' });
      await docker.restart();
      await new Promise((resolve) => setTimeout(resolve, lease.leaseMs + 2_000));
      const guard = new RuntimeGuard(createDockerRuntime({ host: docker.host }), {
        logger: silentLogger,
        deadlines: defaultDeadlines,
      });
      // "dead" is an entry that Docker can't remove yet, its mounts still busy after the kill: nothing runs in it.
      const left = async () => {
        await sweep(guard, { graceMs: 0 });
        return (await guard.list(managedLabels)).filter((container) => container.state !== 'dead');
      };
      await expect.poll(left, { timeout: 20_000, interval: 500 }).toEqual([]);
      // And it goes on: the same runtime object makes a new sandbox.
      await using next = await createSandbox({ runtime, image: testImages.busybox });
      expect((await next.exec(['echo', 'back'])).stdout).toBe('back\n');
      await next.destroy();
      await runtime.close();
      await guard.runtime.close();
    }
  }, 900_000);

  it('SIGTERM of dockerd: a typed error, and the runner does not hold it up', async () => {
    const docker = await engine();
    const runtime = createDockerRuntime({ host: docker.host });
    const sandbox = await createSandbox({ runtime, image: testImages.busybox });
    const waiting = sandbox.exec(['sleep', '100']).catch((error: unknown) => error);
    const startedAtMs = performance.now();
    await docker.kill('SIGTERM');
    await expect(waiting).resolves.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'engine' } });
    expect(performance.now() - startedAtMs).toBeLessThan(9_000);
    await runtime.close();
  });

  it('a stopped engine (SIGSTOP): the sandbox is given up after the lease, not for ever waited for', async () => {
    const docker = await engine();
    const runtime = createDockerRuntime({ host: docker.host });
    const sandbox = await createSandbox({
      runtime,
      image: testImages.busybox,
      heartbeat: lease,
      deadlines: { destroyMs: 1_000 },
    });
    const waiting = sandbox.exec(['sleep', '100']).catch((error: unknown) => error);
    await docker.kill('SIGSTOP');
    await expect(waiting).resolves.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'host' } });
    await docker.kill('SIGCONT');
    await runtime.close();
  }, 60_000);
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield Buffer.alloc(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
