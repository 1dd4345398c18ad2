import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectFiles } from '../architecture/support/repository.ts';
import { anchorsOf, linksOf, markdownFiles, split } from './support/markdown.ts';

const files = new Set(projectFiles());
const folders = new Set(projectFiles().flatMap(parents));

function parents(path: string): readonly string[] {
  const parent = posix.dirname(path);
  return parent === '.' ? ['.'] : [parent, ...parents(parent)];
}

/** What is wrong with a link, or `undefined`. Links to other sites are not followed: a test asks nobody. */
function problem(file: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return target.startsWith('http://') ? 'is not https' : undefined;
  const [path = '', anchor] = decodeURIComponent(target).split('#', 2);
  const resolved = path === '' ? file : posix.join(posix.dirname(file), path).replace(/\/$/, '');
  if (path.startsWith('/')) return 'is absolute';
  if (!files.has(resolved) && !folders.has(resolved)) return 'leads nowhere';
  if (anchor === undefined || !resolved.endsWith('.md')) return undefined;
  return anchorsOf(resolved).has(anchor) ? undefined : `names a heading that ${resolved} doesn't have`;
}

describe('links', () => {
  it('are found', () => {
    expect(markdownFiles.flatMap(linksOf).length).toBeGreaterThan(20);
  });

  it.each(markdownFiles)('of %s lead to what is there', (file) => {
    const wrong = linksOf(file).flatMap(({ target, line }) => {
      const found = problem(file, target);
      return found === undefined ? [] : [`${file}:${line}: ${target} ${found}`];
    });
    expect(wrong).toEqual([]);
  });
});

describe('paths of the repository', () => {
  // `packages/core/src/x.ts` in backquotes is as good as a link, and goes stale as easily.
  it.each(markdownFiles)('that %s names in backquotes are there', (file) => {
    const named = [...readProse(file).matchAll(/`((?:packages|scripts|test|docs|examples|\.ci)\/[\w./-]*\w\/?)`/g)];
    const wrong = named
      .map(([, path = '']) => path.replace(/\/$/, ''))
      .filter((path) => !files.has(path) && !folders.has(path) && !isMade(path));
    expect(wrong).toEqual([]);
  });
});

/** What a build or a run leaves, which no clone has. */
function isMade(path: string): boolean {
  return /(?:^|\/)(?:dist|node_modules)(?:\/|$)/.test(path) || path.startsWith('test/host/.run');
}

function readProse(file: string): string {
  return split(file).prose;
}
