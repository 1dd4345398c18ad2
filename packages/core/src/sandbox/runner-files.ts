import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { findRunner } from '@nanoclaw/runner';
import { createError } from '../errors/nanoclaw-error.ts';
import { runnerDirectory } from '../policy/container-path.ts';
import type { RuntimeCapabilities } from '../runtime/capabilities.ts';
import type { ReadOnlyFile } from '../runtime/container-spec.ts';

/** Where the runner lies in every sandbox. */
export const runnerPath = `${runnerDirectory}/runner`;

const cache = new Map<string, Promise<ReadOnlyFile>>();

/** The runner for the engine's architecture, which is not always ours. Throws `RUNNER_MISSING`. */
export function runnerFile(architecture: RuntimeCapabilities['architecture']): Promise<ReadOnlyFile> {
  const known = cache.get(architecture);
  if (known !== undefined) return known;
  const loading = loadRunner(architecture);
  cache.set(architecture, loading);
  loading.catch(() => cache.delete(architecture));
  return loading;
}

async function loadRunner(architecture: RuntimeCapabilities['architecture']): Promise<ReadOnlyFile> {
  const path = await findRunner(architecture);
  if (path === undefined) {
    throw createError(
      'RUNNER_MISSING',
      `The runner for linux/${architecture} is not in the package @nanoclaw/runner. In a checkout, build it with \`npm run setup\` (needs Go 1.19 or newer).`,
    );
  }
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  return { target: runnerPath, mode: 0o555, content: { path }, sha256 };
}
