import type { ControlName, IsolationLevel, NetworkTier } from '../runtime/controls.ts';

/** Names of the policies that are built in. */
export const presetNames = ['default', 'strict', 'openclaw'] as const;
export type PresetName = (typeof presetNames)[number];

/** Bytes as a number, or text with a unit in powers of 1024: `'512m'`, `'1.5g'`, `'64k'`. */
export type SizeInput = string | number;

/** Text with a unit: `'500ms'`, `'60s'`, `'15m'`, `'2h'`. */
export type DurationInput = string;

/** A writable directory in memory, owned by the sandbox's user, nosuid and nodev. */
export interface ScratchInput {
  /** Absolute and normalised; not at, in or above another scratch directory, `/proc`, `/sys`, `/dev`, `/.nanoclaw`. */
  readonly path: string;
  readonly size: SizeInput;
  /** How many files and directories fit. Default: one per 8 KiB of size, at least 256. */
  readonly inodes?: number | undefined;
  /** Whether programs may be executed from it. Default: false. */
  readonly executable?: boolean | undefined;
  /** Permission bits in octal, as text. Default: `'0700'`. */
  readonly mode?: string | undefined;
  /** `'memory'` is the only one that can be bounded today; `'disk'` is reserved and refused. */
  readonly medium?: 'memory' | undefined;
}

/** A file or directory of the engine's host inside the sandbox. */
export interface MountInput {
  /** Absolute and normalised; symbolic links are resolved before the rules of `docs/policy.md` are applied. */
  readonly source: string;
  readonly target: string;
  /** Default: true. */
  readonly readOnly?: boolean | undefined;
}

/**
 * What a user writes. Every field has a safe default; a field that isn't known is an error. `docs/policy.md` says for
 * each what it becomes on an engine.
 */
export interface PolicyInput {
  /** The policy to start from; fields beside it replace its fields one by one. Default: `'default'`. */
  readonly preset?: PresetName | undefined;
  /** `'auto'` (default): a uid and gid that no other sandbox on the engine has. Or `'uid:gid'`; never 0 nor 65534. */
  readonly user?: 'auto' | `${number}:${number}` | { readonly uid: number; readonly gid: number } | undefined;
  /** Everything that the sandbox has, scratch included; there is no swap. 32m to 16t, default 512m. */
  readonly memory?: SizeInput | undefined;
  /** What the programs themselves need beside scratch. Default 64m, at most half of the memory. */
  readonly workingSet?: SizeInput | undefined;
  /** CPUs as a hard limit, 0.01 to 1024, default 1; clamped to what the engine's host has. */
  readonly cpus?: number | undefined;
  /** Weight against other containers when CPUs are short, 2 to 262144, default 512. */
  readonly cpuShares?: number | undefined;
  /** Processes and threads, the runner's included, 8 to 32768, default 256. */
  readonly pids?: number | undefined;
  /** Open files per process, 16 to 1048576, default 1024. */
  readonly openFiles?: number | undefined;
  /** Default: `/tmp` 64m and `/workspace` 128m, executable; less where the memory is less than 512m. */
  readonly scratch?: readonly ScratchInput[] | undefined;
  /** Size of `/dev/shm`. Default 8m; less where the memory is less than 512m. */
  readonly sharedMemory?: SizeInput | undefined;
  /** Where commands start. Default: `home`. */
  readonly workdir?: string | undefined;
  /** `HOME`. Default: `/workspace` where a scratch directory or mount provides it, else the first scratch directory. */
  readonly home?: string | undefined;
  /** The longest that a command may run, 1ms to 24h, default 60s. It is killed with all that it started. */
  readonly execTimeout?: DurationInput | undefined;
  /** How long the sandbox lives, counted from claim, 1s to 168h, default 15m. */
  readonly lifetime?: DurationInput | undefined;
  /** After how long without a command the sandbox ends, 1s to 168h, or `'off'` (default). */
  readonly idle?: DurationInput | undefined;
  /** How strong the wall to the host must be. Default: `'shared-kernel'`. */
  readonly isolation?: IsolationLevel | undefined;
  /** `'none'` (default): no interface but loopback. */
  readonly network?: NetworkTier | undefined;
  /** Default: none. Each an object, or `'source:target'`, `'source:target:ro'`, `'source:target:rw'`. */
  readonly mounts?: readonly (MountInput | string)[] | undefined;
  /** What may be reached. Only the empty list: this version can't open egress. */
  readonly egress?: readonly never[] | undefined;
  /** Controls whose absence on an engine is accepted. Default: none. */
  readonly relax?: readonly ControlName[] | undefined;
}
