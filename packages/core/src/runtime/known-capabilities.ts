import type { RuntimeCapabilities } from './capabilities.ts';
import type { RuntimeGuard } from './guard.ts';
import type { SandboxRuntime } from './sandbox-runtime.ts';

/** How long an engine's answer is believed. A sandbox is attested all the same, so an old answer can't weaken one. */
const believedMs = 60_000;

interface Known {
  readonly capabilities: RuntimeCapabilities;
  readonly askedAtMs: number;
}

const known = new WeakMap<SandboxRuntime, Known>();

/** The engine's capabilities, asked at most once a minute: asking costs as much as a tenth of a start. */
export async function knownCapabilities(guard: RuntimeGuard, signal?: AbortSignal): Promise<RuntimeCapabilities> {
  const before = known.get(guard.runtime);
  const askedAtMs = performance.now();
  if (before !== undefined && askedAtMs - before.askedAtMs < believedMs) return before.capabilities;
  const capabilities = await guard.capabilities(signal);
  known.set(guard.runtime, { capabilities, askedAtMs });
  return capabilities;
}
