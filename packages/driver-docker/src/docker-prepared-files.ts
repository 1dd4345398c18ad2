import type { DockerMount } from './docker-spec.ts';

/** A spec's files, where the engine can mount them. */
export interface PreparedFiles {
  /** In the order of `spec.files`. */
  readonly mounts: readonly DockerMount[];
  /** The container that used them has ended, or never came to be. */
  release(): void;
}
