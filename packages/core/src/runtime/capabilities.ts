import type { ControlName, Evidence, IsolationLevel, NetworkTier } from './controls.ts';

/** Something that an engine can't do here: why, and what the user can do about it. */
export interface Unsupported {
  readonly supported: false;
  /** One sentence, in the engine's terms. */
  readonly reason: string;
  /** What would make it supported, as an instruction. */
  readonly cure: string;
}

export type Support = { readonly supported: true } | Unsupported;

export type ControlSupport = { readonly supported: true; readonly evidence: Evidence } | Unsupported;

/** A mount that the engine itself adds to every container. */
export interface EngineMount {
  /** Absolute mount point inside. */
  readonly target: string;
  /** Filesystem types it may have; empty is any. */
  readonly types: readonly string[];
  /** Whether it is mounted for writing (which file modes may forbid all the same, as in `/dev`). */
  readonly writable: boolean;
}

/** What an engine enforces on this host, found without starting anything. */
export interface RuntimeCapabilities {
  /** The product that answered, e.g. `Docker Engine` or `Podman`. */
  readonly product: string;
  readonly version: string;
  /** Versions and facts worth a line in a report (`runc`, `kernel`, `cgroup`, `storage`…). */
  readonly details: Readonly<Record<string, string>>;
  /** The engine's architecture, which may differ from ours. */
  readonly architecture: 'amd64' | 'arm64';
  /** CPUs of the engine's host; a policy's `cpus` is clamped to it. */
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** Whether paths of our host mean the same to the engine: bind mounts need it. */
  readonly sharesFiles: boolean;
  /** Sockets on the engine's host that lead to the engine, as absolute paths: nothing that contains one is ever mounted. */
  readonly engineSockets: readonly string[];
  /** Uids (and gids) that are free for sandboxes on this engine. */
  readonly userRange: { readonly first: number; readonly count: number };
  readonly controls: Readonly<Record<ControlName, ControlSupport>>;
  readonly isolation: Readonly<Record<IsolationLevel, Support>>;
  /** Controls that are supported or shown otherwise than `controls` says when this isolation is asked for. */
  readonly isolationControls: Readonly<
    Partial<Record<IsolationLevel, Readonly<Partial<Record<ControlName, ControlSupport>>>>>
  >;
  readonly networks: Readonly<Record<NetworkTier, Support>>;
  /** Building images from a Dockerfile. */
  readonly build: Support;
  /** Mounts that the engine adds to every container, beside what the spec asks for. */
  readonly engineMounts: readonly EngineMount[];
  /** Interfaces that the engine adds beside `lo`. */
  readonly engineInterfaces: readonly string[];
  /** Device nodes below `/dev` that the engine adds, as paths. */
  readonly engineDevices: readonly string[];
  /** What an operator should know (an OCI runtime with known escapes, …); nothing is refused for it. */
  readonly warnings: readonly string[];
}
