import { posix } from 'node:path';
import { projectFiles, read } from './repository.ts';

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A package of this workspace. */
export interface WorkspacePackage {
  /** Relative to the root, e.g. `packages/core`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

export const rootManifest: Manifest = JSON.parse(read('package.json')) as Manifest;

export const workspacePackages: readonly WorkspacePackage[] = projectFiles()
  .filter((path) => /^packages\/[^/]+\/package\.json$/.test(path))
  .map((path) => ({ folder: posix.dirname(path), manifest: JSON.parse(read(path)) as Manifest }));

export const workspaceNames: ReadonlySet<string> = new Set(workspacePackages.map(({ manifest }) => manifest.name));

/** All that a manifest declares, whichever way. */
export function declared(manifest: Manifest): Readonly<Record<string, string>> {
  return {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
}

/** `catalog:` of pnpm-workspace.yaml: name and version. */
export function catalog(): ReadonlyMap<string, string> {
  const block = /^catalog:\n((?: {2}.*\n|\s*\n|\s*#.*\n)+)/m.exec(read('pnpm-workspace.yaml'))?.[1] ?? '';
  const entries = [...block.matchAll(/^ {2}(['"]?)([^'"\s#][^'":]*)\1:\s*(\S+)\s*$/gm)];
  return new Map(entries.map(([, , name, version]) => [name ?? '', version ?? '']));
}

/** The package whose types `@types/x` holds. */
export function typedPackage(name: string): string | undefined {
  const short = /^@types\/(.+)$/.exec(name)?.[1];
  return short?.includes('__') ? `@${short.replace('__', '/')}` : short;
}
