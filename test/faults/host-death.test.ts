import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RuntimeGuard, defaultDeadlines, silentLogger, sweep, type ContainerStatus } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, expect, it } from 'vitest';
import { describeEngine, dockerHost } from '../support/engine.ts';
import { builtPackages } from '../support/built-packages.ts';

/** 50 in the long version, spread over the phases; CI's is the same number on a fast enough machine. */
const rounds = Number(process.env['KILL_ROUNDS'] ?? 50);
const phases = ['start', 'idle', 'exec', 'transfer'] as const;
const victim = fileURLToPath(new URL('./victim.ts', import.meta.url));

describeEngine('kill -9 of the host process', () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  const guard = new RuntimeGuard(runtime, { logger: silentLogger, deadlines: defaultDeadlines });
  const marker = randomBytes(6).toString('hex');
  afterAll(() => runtime.close());

  const ours = (): Promise<readonly ContainerStatus[]> => guard.list({ 'nanoclaw.test': marker });

  async function start(phase: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [...builtPackages(), victim, phase, marker], {
      env: { ...process.env, DOCKER_HOST: dockerHost() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (phase !== 'start') await once(child.stdout ?? child, 'data');
    return child;
  }

  it(`leaves no process of ours 5 s later, ${rounds} times at random moments`, async () => {
    let started = 0;
    await Promise.all(
      phases.map(async (phase, index) => {
        // Two at a time would be faster than the machine: each phase runs its rounds one after the other.
        for (let round = index; round < rounds; round += phases.length) {
          const child = await start(phase);
          started += 1;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * (phase === 'start' ? 1_500 : 300)));
          const ended = once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        }
      }),
    );
    expect(started).toBe(rounds);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const left = await ours();
    expect(left.filter((container) => container.state === 'running' || container.state === 'paused')).toEqual([]);
    expect(sandboxProcesses(marker)).toEqual([]);
    // What was created and never started has no process; the next start's sweep takes it, here without its grace.
    await sweep(guard, { graceMs: 0 });
    expect(await ours()).toEqual([]);
  }, 600_000);
});

/** Processes whose environment or arguments carry the marker: a container's own would show its label nowhere, so look by cgroup. */
function sandboxProcesses(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return pid !== String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}
