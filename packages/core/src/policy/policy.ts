import type { ControlName, IsolationLevel, NetworkTier } from '../runtime/controls.ts';
import type { PresetName } from './policy-input.ts';

/** A writable directory in memory. */
export interface ScratchPolicy {
  readonly path: string;
  readonly sizeBytes: number;
  readonly inodes: number;
  readonly executable: boolean;
  /** Permission bits, e.g. `0o700`. */
  readonly mode: number;
  readonly medium: 'memory';
}

/** A mount that was asked for; its source isn't resolved yet, see `resolveMounts`. */
export interface MountPolicy {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * A policy, fully decided: made by `parsePolicy` only, deeply frozen, nothing optional, in bytes, milliseconds and
 * thousandths of a CPU.
 */
export interface Policy {
  /** The preset that it started from, whose own rules it keeps. */
  readonly preset: PresetName;
  readonly user: 'auto' | { readonly uid: number; readonly gid: number };
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
  /** Not yet clamped to the engine's CPUs. */
  readonly cpuMillis: number;
  readonly cpuShares: number;
  readonly pids: number;
  readonly openFiles: number;
  readonly scratch: readonly ScratchPolicy[];
  readonly sharedMemoryBytes: number;
  readonly workdir: string;
  readonly home: string;
  /** Default and upper limit of a command's timeout. */
  readonly execTimeoutMs: number;
  readonly lifetimeMs: number;
  readonly idleMs: number | 'off';
  readonly isolation: IsolationLevel;
  readonly network: NetworkTier;
  readonly mounts: readonly MountPolicy[];
  readonly egress: readonly never[];
  readonly relax: readonly ControlName[];
}
