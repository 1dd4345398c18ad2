import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ContainerStatus, defaultDeadlines, labelNames, RuntimeGuard, silentLogger, sweep } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, expect, it } from 'vitest';
import { builtPackages } from '../support/built-packages.ts';
import { describeEngine, dockerHost } from '../support/engine.ts';

/** 50 in the long version, spread over the phases; CI's is the same number on a fast enough machine. */
const rounds = Number(process.env.KILL_ROUNDS ?? 50);
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
    const uids = new Set<string>();
    let started = 0;
    await Promise.all(
      phases.map(async (phase, index) => {
        // Two at a time would be faster than the machine: each phase runs its rounds one after the other.
        for (let round = index; round < rounds; round += phases.length) {
          const child = await start(phase);
          started += 1;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * (phase === 'start' ? 1_500 : 300)));
          for (const container of await ours()) uids.add(container.labels[labelNames.uid] ?? '');
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
    // Every sandbox has a uid of its own, so this sees what an engine may have lost sight of.
    expect(uids.size).toBeGreaterThan(rounds / 3);
    expect(processesOf(uids)).toEqual([]);
    // What was created and never started has no process; the next start's sweep takes it, here without its grace.
    await sweep(guard, { graceMs: 0 });
    expect(await ours()).toEqual([]);
  }, 600_000);
});

/** Processes of the host that run as one of these users. */
function processesOf(uids: ReadonlySet<string>): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
        return uids.has(uid);
      } catch {
        return false;
      }
    });
}
