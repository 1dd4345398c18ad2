import { posix } from 'node:path';
import { read } from './repository.ts';

/** One import or re-export of a module. */
export interface Import {
  /** The file it stands in, relative to the root. */
  readonly file: string;
  readonly specifier: string;
  /** `import type` and `export type`: nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

const statement = /^[ \t]*(?:import|export)\b(?<what>[^;'"]*?)\bfrom\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>/gm;
const bare = /^[ \t]*import\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>/gm;
const dynamic = /\bimport\(\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>\s*[,)]/g;

/** Every module that a file names, literally, in whatever form. */
export function importsOf(file: string): readonly Import[] {
  return importsIn(file, read(file));
}

export function importsIn(file: string, text: string): readonly Import[] {
  const found: Import[] = [];
  for (const pattern of [statement, bare, dynamic]) {
    for (const { groups } of text.matchAll(pattern)) {
      found.push({
        file,
        specifier: groups?.specifier ?? '',
        typeOnly: pattern === statement && /^\s*type\b/.test(groups?.what ?? ''),
      });
    }
  }
  return found;
}

/** The package that a specifier names, or `undefined` for a file of ours and for a module of Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('node:')) return undefined;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The file that a relative import names, relative to the root, or `undefined` for a package. */
export function fileOf({ file, specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined;
}

/** The shortest cycles of a graph, one for each place where there is one, as readable chains. */
export function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const cycles = new Map<string, string>();
  for (const start of edges.keys()) {
    const chain = pathBack(start, edges);
    if (chain !== undefined) cycles.set(chain.toSorted().join(), [...chain, start].join(' -> '));
  }
  return [...cycles.values()];
}

/** The shortest way from a node back to itself, breadth first. */
function pathBack(start: string, edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const seen = new Set<string>();
  let paths: readonly (readonly string[])[] = [[start]];
  while (paths.length > 0) {
    const longer: (readonly string[])[] = [];
    for (const path of paths) {
      for (const next of edges.get(path.at(-1) ?? '') ?? []) {
        if (next === start) return path;
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...path, next]);
      }
    }
    paths = longer;
  }
  return undefined;
}
