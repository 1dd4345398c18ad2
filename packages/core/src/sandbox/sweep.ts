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
 * Removes what was left behind: containers with our label that were created and never started, have exited, or or are dead.
 * A running or paused container is left alone: its runner ends it when its owner's lease lapses. Returns what was removed.
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
      return container.createdAtMs < oldestMs;
    // A paused one may go on: its runner ends it then, unless its owner is still there.
    case 'paused':
    case 'running':
    case 'removing':
      return false;
  }
}

const swept = new WeakSet<SandboxRuntime>();

/**
 * Sweeps once now and then every minute, once for each runtime of this process, for as long as it is used and can be asked. Never delays
 * or fails a caller.
 */
export function keepSwept(guard: RuntimeGuard): void {
  const { runtime } = guard;
  if (swept.has(runtime)) return;
  swept.add(runtime);
  // Weakly, so that the timer does not keep alive what nobody uses any more.
  const known = new WeakRef(guard);
  const stop = (): void => {
    clearInterval(timer);
    swept.delete(runtime);
  };
  const run = (): void => {
    const guarded = known.deref();
    // A runtime that was closed, or whose engine is gone, is swept again once it starts a sandbox again.
    if (guarded === undefined) clearInterval(timer);
    else sweep(guarded).catch(stop);
  };
  const timer = setInterval(run, sweepEveryMs);
  timer.unref();
  run();
}
