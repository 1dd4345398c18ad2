import type { ControlName, IsolationLevel, NetworkTier } from './controls.ts';
import type { ImageInfo } from './image.ts';

/** A tmpfs, owned by the sandbox's user, mounted nosuid and nodev. */
export interface ScratchSpec {
  readonly target: string;
  readonly sizeBytes: number;
  readonly inodes: number;
  /** Permission bits, e.g. `0o700`. */
  readonly mode: number;
  /** Whether programs may be executed from it. */
  readonly executable: boolean;
}

/** A directory or file of the engine's host, with symbolic links already resolved. */
export interface MountSpec {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A small file that must be in the container, read-only, before it starts. */
export interface ReadOnlyFile {
  readonly target: string;
  /** Permission bits, e.g. `0o444`; owned by root. */
  readonly mode: number;
  /** A file of our host (the runner's binary), or the content itself. */
  readonly content: { readonly path: string } | { readonly text: string };
  /** Hex SHA-256 of the content: drivers cache by it. */
  readonly sha256: string;
}

/**
 * A container, fully decided: no field is optional, and there is no way to say privileged, host
 * namespace, device, added capability or engine socket. What the fields don't mention is fixed for every
 * container: all capabilities dropped, `no_new_privs`, a read-only root, private pid, ipc, uts and
 * cgroup namespaces, no swap, no core dumps, no image volumes, no health check, no restart, no engine log of
 * the output, System V shared memory that goes with its last user, removed by the engine when it exits, stdin open exactly once.
 */
export interface ContainerSpec {
  /** Name for the engine, unique: `nanoclaw-<sandbox id>`. */
  readonly name: string;
  readonly hostname: string;
  readonly image: ImageInfo;
  /** Absolute path of the runner inside, then its arguments. */
  readonly command: readonly [string, ...string[]];
  /** The runner, passwd, group and whatever else must lie there read-only. */
  readonly files: readonly ReadOnlyFile[];
  readonly labels: Readonly<Record<string, string>>;
  readonly user: { readonly uid: number; readonly gid: number };
  /** The whole environment of PID 1: what the image sets is dropped. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly isolation: IsolationLevel;
  readonly network: NetworkTier;
  /** Flat OCI-format seccomp profile (JSON text). */
  readonly seccompProfile: string;
  readonly maskedPaths: readonly string[];
  readonly readOnlyPaths: readonly string[];
  readonly scratch: readonly ScratchSpec[];
  /** Size of the tmpfs on `/dev/shm`, which is never executable. */
  readonly sharedMemoryBytes: number;
  /** How many files and directories fit in it. */
  readonly sharedMemoryInodes: number;
  readonly mounts: readonly MountSpec[];
  /** Volumes that the image declares, to be covered by an empty read-only tmpfs. */
  readonly coveredPaths: readonly string[];
  readonly memoryBytes: number;
  readonly cpuMillis: number;
  readonly cpuShares: number;
  readonly pids: number;
  readonly openFiles: number;
  /** Controls that the policy relaxed by name: asked for all the same, but not a failure where absent. */
  readonly relaxed: readonly ControlName[];
}
