import { type ContainerSpec, createError } from '@nanoclaw/core';
import type { ReadOnlyFileCache } from '@nanoclaw/driver-kit';
import type { DockerApi } from './docker-api.ts';
import { oneLine } from './docker-error.ts';
import type { PreparedFiles } from './docker-prepared-files.ts';
import { type DockerMount, toBindMount } from './docker-spec.ts';
import type { DockerFileVolumes } from './docker-volumes.ts';

export interface DockerFiles {
  prepare(spec: ContainerSpec, sharesFiles: boolean, signal: AbortSignal): Promise<PreparedFiles>;
}

/**
 * Gets the runner, the passwd and what else must lie in a container into it: by bind mounts from our own disk where the engine
 * sees it, otherwise from volumes on the engine's.
 */
export function createDockerFiles(cache: ReadOnlyFileCache, volumes: DockerFileVolumes): DockerFiles {
  return {
    async prepare(spec, sharesFiles, signal) {
      if (!sharesFiles) return volumes.prepare(spec, signal);
      const mounts = await Promise.all(
        spec.files.map(async (file) => toBindMount(await cache.materialise(file), file.target, true)),
      );
      return { mounts, release: () => undefined };
    },
  };
}

/** Whether a start failed because what we had prepared is gone: the cache or a volume was removed behind us. */
export function isMissingFile(error: unknown, mounts: readonly DockerMount[]): boolean {
  const text = error instanceof Error ? error.message : '';
  if (!/does not exist|no such file or directory|cannot access/i.test(text)) return false;
  return mounts.some(
    (mount) =>
      text.includes(mount.Source) || (mount.VolumeOptions !== undefined && text.includes(mount.VolumeOptions.Subpath)),
  );
}

/** A mount of the user's whose source is not there, by its name. */
export function toMountError(error: unknown, spec: ContainerSpec, api: DockerApi): unknown {
  const text = error instanceof Error ? error.message : '';
  const missing = spec.mounts.find(({ source }) => text.includes(`bind source path does not exist: ${source}`));
  if (missing === undefined) return error;
  return createError(
    'FILE_NOT_FOUND',
    `The mount source ${oneLine(missing.source)} (for ${oneLine(missing.target)}) does not exist on the host of the engine at ${api.endpoint.address}. ` +
      "A mount's path is the engine's, which may be another machine's than yours.",
    { path: missing.source },
    error,
  );
}
