import { posix } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { fileOf, type Import, importsOf, packageOf } from './support/imports.ts';
import {
  catalog,
  declared,
  rootManifest,
  typedPackage,
  type WorkspacePackage,
  workspaceNames,
  workspacePackages,
} from './support/packages.ts';
import { projectFiles, read, sourcesBelow } from './support/repository.ts';

const scope = '@nanoclaw/';

/**
 * Which packages of ours each may import: `runner <- core <- driver-kit <- driver-*`. The CLI alone may load all of them.
 * A package that is not named here has no place in the architecture yet: give it one.
 */
function mayImport(folder: string): readonly string[] | 'all' | undefined {
  const name = folder.replace('packages/', '');
  const known: Readonly<Record<string, readonly string[] | 'all'>> = {
    runner: [],
    core: ['runner'],
    'driver-kit': ['core'],
    cli: 'all',
  };
  if (Object.hasOwn(known, name)) return known[name];
  return name.startsWith('driver-') ? ['core', 'driver-kit'] : undefined;
}

/** What is published: the sources and what stands beside them in `bin`. */
function shippedImports({ folder }: WorkspacePackage): readonly Import[] {
  return [...sourcesBelow(`${folder}/src`), ...sourcesBelow(`${folder}/bin`)].flatMap(importsOf);
}

function otherImports({ folder }: WorkspacePackage): readonly Import[] {
  return [...sourcesBelow(`${folder}/test`), ...sourcesBelow(`${folder}/scripts`)].flatMap(importsOf);
}

function show({ file, specifier }: Import): string {
  return `${file} imports ${specifier}`;
}

it('sees the packages and their sources', () => {
  expect(workspacePackages.map(({ folder }) => folder)).toEqual(
    expect.arrayContaining(['packages/cli', 'packages/core', 'packages/driver-docker', 'packages/runner']),
  );
  expect(sourcesBelow('packages/core/src').flatMap(importsOf).length).toBeGreaterThan(100);
  expect(catalog().get('zod')).toMatch(/^\d/);
});

describe.each(workspacePackages)('$folder', (workspacePackage) => {
  const { folder, manifest } = workspacePackage;
  const shipped = shippedImports(workspacePackage);
  const others = otherImports(workspacePackage);

  it('imports those of our packages that it may, by their names, and nothing of their insides', () => {
    const allowed = mayImport(folder);
    expect(allowed, `${folder} has no place in the import direction; see mayImport in this file`).toBeDefined();
    const names = allowed === 'all' ? [...workspaceNames] : (allowed ?? []).map((name) => `${scope}${name}`);
    const wrong = shipped.filter(({ specifier }) => {
      const name = packageOf(specifier);
      return name !== undefined && workspaceNames.has(name) && !names.includes(specifier);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('declares those of our packages that it may', () => {
    const allowed = mayImport(folder);
    const names = allowed === 'all' ? [...workspaceNames] : (allowed ?? []).map((name) => `${scope}${name}`);
    const ours = Object.keys(declared(manifest)).filter((name) => workspaceNames.has(name));
    expect(ours.filter((name) => !names.includes(name))).toEqual([]);
  });

  it('has no path from its sources to files outside of them', () => {
    const wrong = shipped.filter((entry) => {
      const target = fileOf(entry);
      if (target === undefined) return false;
      return !target.startsWith(`${folder}/src/`) && !target.startsWith(`${folder}/dist/`) && !isBeside(entry, target);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('declares as a dependency what its sources import', () => {
    const dependencies = Object.keys(manifest.dependencies ?? {});
    const missing = shipped.filter(({ specifier }) => {
      const name = packageOf(specifier);
      return name !== undefined && !dependencies.includes(name);
    });
    expect(missing.map(show)).toEqual([]);
  });

  it('declares what its tests and scripts import', () => {
    const known = [...Object.keys(declared(manifest)), ...Object.keys(declared(rootManifest)), manifest.name];
    const missing = others.filter(({ specifier }) => {
      const name = packageOf(specifier);
      return name !== undefined && !known.includes(name);
    });
    expect(missing.map(show)).toEqual([]);
  });

  it('declares no dependency that it does not import', () => {
    const used = new Set(shipped.map(({ specifier }) => packageOf(specifier)));
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !used.has(name))).toEqual([]);
  });

  it('declares no dependency for development that nothing uses', () => {
    const used = new Set([...shipped, ...others].map(({ specifier }) => packageOf(specifier)));
    const unused = Object.keys(manifest.devDependencies ?? {}).filter((name) => {
      const typed = typedPackage(name);
      return typed === undefined ? !used.has(name) : !used.has(typed);
    });
    expect(unused).toEqual([]);
  });

  it('names in its tsconfig the packages that it depends on, so that they are built first', () => {
    const { references = [] } = JSON.parse(read(`${folder}/tsconfig.json`)) as { references?: { path: string }[] };
    const built = references.map(({ path }) => posix.join(folder, path)).toSorted();
    const needed = Object.keys(manifest.dependencies ?? {}).flatMap((name) =>
      workspacePackages.filter((other) => other.manifest.name === name).map((other) => other.folder),
    );
    expect(built).toEqual(needed.toSorted());
  });
});

function isBeside({ file }: Import, target: string): boolean {
  return posix.dirname(file) === posix.dirname(target);
}

describe('versions', () => {
  const manifests = [
    { where: 'package.json', manifest: rootManifest },
    ...workspacePackages.map(({ folder, manifest }) => ({ where: `${folder}/package.json`, manifest })),
  ];

  test.each(manifests)(
    '$where takes every version from the catalog, and our own from the workspace',
    ({ manifest }) => {
      const wrong = Object.entries(declared(manifest)).filter(
        ([name, version]) => version !== (workspaceNames.has(name) ? 'workspace:*' : 'catalog:'),
      );
      expect(wrong).toEqual([]);
    },
  );

  it('are exact in the catalog', () => {
    expect([...catalog()].filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it('are in the catalog for everything that is declared, and for nothing else', () => {
    const names = new Set(manifests.flatMap(({ manifest }) => Object.keys(declared(manifest))));
    const thirdParty = [...names].filter((name) => !workspaceNames.has(name));
    expect([...catalog().keys()].toSorted()).toEqual(thirdParty.toSorted());
  });

  it('are the same for all of our packages', () => {
    const versions = workspacePackages.map(({ folder }) => {
      const { version } = JSON.parse(read(`${folder}/package.json`)) as { version: string };
      return version;
    });
    expect(new Set(versions).size).toBe(1);
  });
});

describe('tests', () => {
  it('import only what the root declares', () => {
    const known = Object.keys(declared(rootManifest));
    const files = projectFiles().filter((path) => /^(?:test|examples)\/.*\.(?:ts|mjs|js)$/.test(path));
    const missing = files.flatMap(importsOf).filter(({ specifier }) => {
      const name = packageOf(specifier);
      return name !== undefined && !known.includes(name);
    });
    expect(missing.map(show)).toEqual([]);
  });

  it('run against the sources of every package, never against a build that may be old', () => {
    const config = read('vitest.config.ts');
    const libraries = [...workspaceNames].filter((name) => name.startsWith(scope));
    expect(libraries.filter((name) => !config.includes(`'${name}'`))).toEqual([]);
  });
});
