import { describe, expect, it } from 'vitest';
import { importsOf } from './support/imports.ts';
import { projectFiles, read, sourcesBelow } from './support/repository.ts';

/** Binary files say nothing here; the lockfile is another program's. */
const textFiles = projectFiles().filter((path) => path !== 'pnpm-lock.yaml' && !read(path).includes('\0'));

function linesOf(path: string): readonly string[] {
  return read(path).replace(/\n$/, '').split('\n');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

/** `file:line: text` of every line that a pattern matches. */
function find(paths: readonly string[], pattern: RegExp): readonly string[] {
  return paths.flatMap((path) =>
    linesOf(path).flatMap((line, index) =>
      pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 160)}`] : [],
    ),
  );
}

describe('files', () => {
  it('are at most 350 lines long; tests, whose tables are long, 900', () => {
    const sources = textFiles.filter((path) => /\.(?:ts|mts|js|mjs|go|sh|py)$/.test(path));
    expect(sources.length).toBeGreaterThan(100);
    const limit = (path: string) => (/(?:^|\/)test\/|_test\.go$/.test(path) ? 900 : 350);
    const long = sources.filter((path) => linesOf(path).length > limit(path));
    expect(long.map((path) => `${path}: ${linesOf(path).length} lines`)).toEqual([]);
  });

  it('have names in kebab-case', () => {
    const sources = projectFiles().filter((path) => /\.(?:ts|mts|js|mjs)$/.test(path));
    expect(sources.filter((path) => !/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(path.split('/').at(-1) ?? ''))).toEqual([]);
  });

  it('name no package registry: whichever the machine is set up for is used', () => {
    const hosts = [
      ['registry', 'npmjs', 'org'],
      ['registry', 'yarnpkg', 'com'],
      ['registry', 'npmmirror', 'com'],
      ['npm', 'pkg', 'github', 'com'],
      ['proxy', 'golang', 'org'],
      ['sum', 'golang', 'org'],
      ['pypi', 'org'],
      ['pythonhosted', 'org'],
      ['crates', 'io'],
      ['rubygems', 'org'],
      ['deb', 'debian', 'org'],
      ['security', 'debian', 'org'],
      ['archive', 'ubuntu', 'com'],
    ].map((labels) => labels.join('\\.'));
    expect(find([...textFiles, 'pnpm-lock.yaml'], new RegExp(`\\b(?:${hosts.join('|')})\\b`, 'i'))).toEqual([]);
    // A lockfile that was written against a mirror names it in every entry.
    expect(find(['pnpm-lock.yaml'], /\btarball: *https?:/)).toEqual([]);
    expect(find(textFiles, /^\s*(?:@[\w-]+:)?registry\s*=/)).toEqual([]);
  });

  it('name no path of the machine on which they were written', () => {
    const places = [
      ['work', '(?:main|shared|\\.library)'],
      ['tmp', 'tc'],
      ['tmp', 'bash_jobs'],
    ];
    const pattern = new RegExp(`(?<![\\w.])/(?:${places.map((parts) => parts.join('/')).join('|')})\\b`);
    expect(find(textFiles, pattern)).toEqual([]);
  });
});

describe('the contract of a driver', () => {
  const path = 'packages/core/src/runtime/sandbox-runtime.ts';

  it('fits on one screen', () => {
    expect(linesOf(path).length).toBeLessThanOrEqual(130);
  });

  it("imports types alone: core's, and Node's stream", () => {
    const imports = importsOf(path);
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(({ typeOnly }) => !typeOnly)).toEqual([]);
    const others = imports.filter(
      ({ specifier }) => !/^\.\/[\w-]+\.ts$/.test(specifier) && specifier !== 'node:stream',
    );
    expect(others).toEqual([]);
  });

  it('declares interfaces and types, and nothing that runs', () => {
    const code = withoutComments(read(path));
    const declarations = [...code.matchAll(/^(?:export )?(?:declare )?(\w+)/gm)].map(([, keyword]) => keyword);
    expect(declarations.filter((keyword) => !['import', 'interface', 'type'].includes(keyword ?? ''))).toEqual([]);
  });

  it('names no engine', () => {
    // A Dockerfile is a format that every engine builds.
    const engines = /docker(?!file)|podman|containerd|nerdctl|kubernetes|libpod|moby/i;
    const folder = sourcesBelow('packages/core/src/runtime');
    expect(folder).toContain(path);
    expect(folder.filter((file) => engines.test(withoutComments(read(file))))).toEqual([]);
  });
});

describe('core', () => {
  const sources = sourcesBelow('packages/core/src');

  it('reads no environment variable, argument or working directory: its caller decides', () => {
    expect(find(sources, /\bprocess\.(?:env|argv|cwd|exit|chdir|umask|platform)\b/)).toEqual([]);
  });

  it('writes to no console', () => {
    expect(find(sources, /\bconsole\.\w+\(|\bprocess\.(?:stdout|stderr)\.write\b/)).toEqual([]);
  });

  it('starts no process and no thread', () => {
    const wrong = sources
      .flatMap(importsOf)
      .filter(({ specifier }) => ['node:child_process', 'node:worker_threads', 'node:cluster'].includes(specifier));
    expect(wrong).toEqual([]);
  });
});

describe('libraries', () => {
  it('write to no console', () => {
    const sources = projectFiles().filter((path) => /^packages\/(?!cli\/)[^/]+\/src\/.*\.ts$/.test(path));
    expect(find(sources, /\bconsole\.\w+\(/)).toEqual([]);
  });

  it('depend on no other programs of the repository', () => {
    const wrong = projectFiles()
      .filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path))
      .flatMap(importsOf)
      .filter(({ specifier }) => /(?:^|\/)(?:scripts|test|examples)\//.test(specifier));
    expect(wrong).toEqual([]);
  });
});
