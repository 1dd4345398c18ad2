import { createError } from '../errors/nanoclaw-error.ts';
import type { ImageInfo } from '../runtime/image.ts';
import { isWithin, pathProblem, reservedConflict } from './container-path.ts';
import type { Policy } from './policy.ts';
import { quote } from './show.ts';

const maximumVolumes = 64;

/**
 * The volumes that an image declares and that something must be put over: an engine would make each a writable
 * directory on the host's disk, without a size limit and without nosuid. One that is a scratch directory or a mount of
 * the policy is covered by that.
 *
 * @throws NanoclawError `IMAGE_UNUSABLE` where one can't be covered: it isn't a normalised path, is or contains a path
 * that the engine or NanoClaw needs, or overlaps another volume, a scratch directory or a mount.
 */
export function coveredPaths(image: ImageInfo, policy: Policy): readonly string[] {
  const provided = [...policy.scratch.map(({ path }) => path), ...policy.mounts.map(({ target }) => target)];
  const volumes = [...new Set(image.config.volumes.map(withoutTrailingSlash))].sort();
  if (volumes.length > maximumVolumes)
    throw unusable(image, `it declares ${volumes.length} volumes, more than ${maximumVolumes}`);
  const covered = volumes.filter((volume) => !provided.includes(volume));
  for (const volume of volumes) {
    const name = `its volume ${quote(volume)}`;
    const problem = pathProblem(volume);
    if (problem !== undefined) throw unusable(image, `${name} is not usable: ${problem}`);
    const reserved = reservedConflict(volume);
    if (reserved !== undefined) throw unusable(image, `${name} would cover or lie in ${quote(reserved)}`);
  }
  for (const volume of covered) {
    const other = [...provided, ...volumes].find(
      (path) => path !== volume && (isWithin(path, volume) || isWithin(volume, path)),
    );
    if (other !== undefined) throw unusable(image, `its volume ${quote(volume)} overlaps ${quote(other)}`);
  }
  return covered;
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function unusable({ reference }: ImageInfo, reason: string) {
  return createError(
    'IMAGE_UNUSABLE',
    `the image ${quote(reference)} can't be used: ${reason}. Build it without that VOLUME.`,
    {
      cure: 'build the image without that VOLUME',
    },
  );
}
