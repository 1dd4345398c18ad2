import type { RuntimeGuard } from '../runtime/guard.ts';
import type { ContainerStatus, SandboxRuntime } from '../runtime/sandbox-runtime.ts';
import { managedLabels } from './labels.ts';

/** A container that was created but has no channel yet may be somebody's start under way for this long. */
const defaultGraceMs = 60_000;
const sweepEveryMs = 60_000;

export interface SweepOptions {
  /** Age from which on a container that was never started counts as left behind. Default 60,000 ms. */
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Removes what was left behind: containers with our label that were created and never started, have exited, or are dead or long paused.
 * A running container is left alone: its runner ends it when its owner's lease lapses. Returns what was removed.
 */
export async function sweep(guard: RuntimeGuard, options: SweepOptions = {}): Promise<readonly ContainerStatus[]> {
  const oldestMs = Date.now() - (options.graceMs ?? defaultGraceMs);
  const containers = await guard.list(managedLabels, options.signal);
  const left = containers.filter((container) => isLeftBehind(container, oldestMs));
  const removed = await Promise.allSettled(left.map((container) => guard.destroy(container.id, options.signal)));
  return left.filter((_, index) => removed[index]?.status === 'fulfilled');
}

function isLeftBehind(container: ContainerStatus, oldestMs: number): boolean {
  switch (container.state) {
    case 'exited':
    case 'dead':
      return true;
    case 'created':
    case 'paused':
      return container.createdAtMs < oldestMs;
    case 'running':
    case 'removing':
      return false;
  }
}

const sweepers = new WeakMap<SandboxRuntime, NodeJS.Timeout>();

/** Sweeps once now and then every minute, once for each runtime of this process. Never delays or fails a caller. */
export function keepSwept(guard: RuntimeGuard): void {
  if (sweepers.has(guard.runtime)) return;
  const run = (): void => void sweep(guard).catch(() => undefined);
  const timer = setInterval(run, sweepEveryMs);
  timer.unref();
  sweepers.set(guard.runtime, timer);
  run();
}
