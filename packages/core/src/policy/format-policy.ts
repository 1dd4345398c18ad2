import type { Policy } from './policy.ts';
import type { PolicyInput } from './policy-input.ts';
import { formatDuration, formatSize } from './units.ts';

/**
 * A policy as a user would write it, with every field: what `policy show` prints. `parsePolicy` makes an equal policy
 * of it.
 */
export function formatPolicy(policy: Policy): Required<PolicyInput> {
  return {
    preset: policy.preset,
    user: policy.user,
    memory: formatSize(policy.memoryBytes),
    workingSet: formatSize(policy.workingSetBytes),
    cpus: policy.cpuMillis / 1000,
    cpuShares: policy.cpuShares,
    pids: policy.pids,
    openFiles: policy.openFiles,
    scratch: policy.scratch.map(({ path, sizeBytes, inodes, executable, mode, medium }) => ({
      path,
      size: formatSize(sizeBytes),
      inodes,
      executable,
      mode: mode.toString(8).padStart(4, '0'),
      medium,
    })),
    sharedMemory: formatSize(policy.sharedMemoryBytes),
    workdir: policy.workdir,
    home: policy.home,
    execTimeout: formatDuration(policy.execTimeoutMs),
    lifetime: formatDuration(policy.lifetimeMs),
    idle: policy.idleMs === 'off' ? 'off' : formatDuration(policy.idleMs),
    isolation: policy.isolation,
    network: policy.network,
    mounts: policy.mounts.map((mount) => ({ ...mount })),
    egress: [],
    relax: policy.relax,
  };
}
