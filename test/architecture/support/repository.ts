import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of this checkout. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

let files: readonly string[] | undefined;

/** Paths, relative to the root, of every file that is tracked by git or would be: what isn't ignored. Submodules and links to directories apart. */
export function projectFiles(): readonly string[] {
  files ??= execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((path) => path !== '' && statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .toSorted();
  return files;
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Sources in a language of ours below some folder, e.g. `packages/core/src`. */
export function sourcesBelow(folder: string): readonly string[] {
  return projectFiles().filter((path) => path.startsWith(`${folder}/`) && /\.(?:ts|mts|js|mjs)$/.test(path));
}
