import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cyclesOf, fileOf, importsOf } from './support/imports.ts';
import { workspacePackages } from './support/packages.ts';
import { read, sourcesBelow } from './support/repository.ts';

const source = 'packages/core/src';

/**
 * The layers of core and what each may import besides itself, lowest first. `docs/architecture.md` shows the same table.
 * The names of the controls are a vocabulary that everything below shares, errors included, so that file is a layer of its
 * own although it lies in `runtime`.
 */
const layers: Readonly<Record<string, readonly string[]>> = {
  'runtime/controls.ts': [],
  'text.ts': [],
  'logger.ts': [],
  errors: ['runtime/controls.ts'],
  runtime: ['runtime/controls.ts', 'text.ts', 'logger.ts', 'errors'],
  'policy/seccomp': [],
  policy: ['runtime/controls.ts', 'text.ts', 'errors', 'runtime', 'policy/seccomp'],
  protocol: ['text.ts', 'errors'],
  attestation: ['runtime/controls.ts', 'text.ts', 'errors', 'runtime', 'policy', 'protocol'],
  sandbox: ['runtime/controls.ts', 'text.ts', 'logger.ts', 'errors', 'runtime', 'policy', 'protocol', 'attestation'],
};

/** The layer of a file of core: the longest name that it is or lies in; `undefined` where it has none. */
function layerOf(path: string): string | undefined {
  const inside = posix.relative(source, path);
  return Object.keys(layers)
    .filter((layer) => inside === layer || inside.startsWith(`${layer}/`))
    .toSorted((left, right) => right.length - left.length)
    .at(0);
}

const files = sourcesBelow(source).filter((path) => path !== `${source}/index.ts`);

describe('core', () => {
  it('has every file in a layer', () => {
    expect(files.filter((path) => layerOf(path) === undefined)).toEqual([]);
    expect(Object.keys(layers).filter((layer) => !files.some((path) => layerOf(path) === layer))).toEqual([]);
  });

  it('imports downwards only, types included', () => {
    const wrong = files.flatMap(importsOf).filter((entry) => {
      const target = fileOf(entry);
      if (target === undefined) return false;
      const [from, to] = [layerOf(entry.file) ?? '', layerOf(target) ?? target];
      return from !== to && !layers[from]?.includes(to);
    });
    expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  it('has layers that form no cycle', () => {
    expect(cyclesOf(new Map(Object.entries(layers).map(([layer, below]) => [layer, new Set(below)])))).toEqual([]);
  });

  it('is described by the table in docs/architecture.md', () => {
    const table = /<!-- layers -->\n([\s\S]*?)<!-- \/layers -->/.exec(read('docs/architecture.md'))?.[1] ?? '';
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const documented = rows.map((row) => {
      const [layer = '', below = ''] = row
        .split('|')
        .slice(1)
        .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name).join(' '));
      return [layer, below.split(' ').filter(Boolean).toSorted()];
    });
    expect(Object.fromEntries(documented)).toEqual(
      Object.fromEntries(Object.entries(layers).map(([layer, below]) => [layer, below.toSorted()])),
    );
  });
});

describe.each(workspacePackages)('$folder', ({ folder }) => {
  it('has no cycle between its files, types included', () => {
    const edges = new Map<string, Set<string>>();
    for (const path of sourcesBelow(`${folder}/src`)) {
      const targets = importsOf(path).flatMap((entry) => fileOf(entry) ?? []);
      edges.set(path, new Set(targets));
    }
    expect(cyclesOf(edges)).toEqual([]);
  });
});
