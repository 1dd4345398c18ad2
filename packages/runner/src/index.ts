import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Architectures that the runner is built for, by Go's names. */
export type RunnerArchitecture = 'amd64' | 'arm64';

/** Path of the runner's static Linux binary, or `undefined` where it was not built. */
export async function findRunner(architecture: RunnerArchitecture): Promise<string | undefined> {
  const path = fileURLToPath(new URL(`../dist/linux-${architecture}/nanoclaw-runner`, import.meta.url));
  return access(path).then(
    () => path,
    () => undefined,
  );
}
