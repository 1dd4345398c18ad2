import type { Duplex } from 'node:stream';
import type { RuntimeCapabilities } from './capabilities.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { ImageInfo, ImageProgress, ImageSource } from './image.ts';

/** Why a container ended, as the engine saw it. */
export type ExitCause =
  | { readonly kind: 'exit'; readonly exitCode: number }
  | { readonly kind: 'signal'; readonly signal: number }
  | { readonly kind: 'out-of-memory' }
  | { readonly kind: 'evicted'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface StartedContainer {
  /** The engine's id. */
  readonly id: string;
  /** Exactly the bytes that core and the runner write, with backpressure both ways. Ending it is end of input inside. */
  readonly channel: Duplex;
  /** Resolves, never rejects, when the container has ended; watched from before the start. */
  readonly exited: Promise<ExitCause>;
  /** The last lines (at most 16 KiB) that engine and runner wrote beside the channel. */
  readonly diagnostics: () => string;
}

export interface ContainerStatus {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'created' | 'running' | 'paused' | 'exited' | 'dead' | 'removing';
  readonly createdAtMs: number;
  /** The OCI image the container runs. */
  readonly imageDigest: string;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * The duties of a driver: everything else (exec, files, timeouts, egress, audit) is core's and travels over
 * the channel. Core calls a driver through one guard that adds deadlines, checks and error mapping, so a driver
 * may trust its arguments; it throws `NanoclawError` (see `createError`) for what it knows, anything else becomes `ENGINE_ERROR`.
 */
export interface SandboxRuntime {
  /** Short, lower case: `docker`. */
  readonly name: string;
  /** What this engine enforces on its host now. Starts nothing. */
  capabilities(options: CallOptions): Promise<RuntimeCapabilities>;
  /** Makes an image present (pull, load or build) and pins it. */
  ensureImage(
    source: ImageSource,
    options: CallOptions & { readonly onProgress: (progress: ImageProgress) => void },
  ): Promise<ImageInfo>;
  /** Images that carry all these labels. */
  listImages(labels: Readonly<Record<string, string>>, options: CallOptions): Promise<readonly ImageInfo[]>;
  /** Removes an image by digest; no error where it is gone already. */
  removeImage(digest: string, options: CallOptions): Promise<void>;
  /**
   * Starts a container and compares the engine's own inspect with the spec, field by field; any difference or warning is
   * `POLICY_NOT_ENFORCED`. All or nothing: rejected means that nothing is left.
   */
  start(spec: ContainerSpec, options: CallOptions): Promise<StartedContainer>;
  /** `undefined` where there is no such container. */
  inspect(id: string, options: CallOptions): Promise<ContainerStatus | undefined>;
  /** Containers in any state that carry all these labels. */
  list(labels: Readonly<Record<string, string>>, options: CallOptions): Promise<readonly ContainerStatus[]>;
  /** Ends by force and removes; idempotent; resolves when the container is gone. */
  destroy(id: string, options: CallOptions): Promise<void>;
  /** Releases connections. Leaves containers alone. Idempotent. */
  close(): Promise<void>;
}
