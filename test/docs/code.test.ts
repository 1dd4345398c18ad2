import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workspacePackages } from '../architecture/support/packages.ts';
import { projectFiles, root } from '../architecture/support/repository.ts';
import { blocksIn, type CodeBlock, markdownFiles } from './support/markdown.ts';

/**
 * Every block of TypeScript or JavaScript in README and docs is a module of its own that compiles against the sources, under
 * the compiler options of the packages. A piece that is no module is fenced as `text`.
 */
const blocks = blocksIn(
  markdownFiles.filter((path) => /^(?:docs\/.*|README\.md|packages\/[^/]+\/README\.md)$/.test(path)),
  ['ts', 'typescript', 'js', 'mjs', 'javascript'],
);

const cache = join(root, 'node_modules/.cache/nanoclaw-docs');
let directory = '';
let output = '';

function moduleName(block: CodeBlock): string {
  const extension = block.language.startsWith('t') ? 'ts' : 'mjs';
  return `${block.file.replace(/\W+/g, '-')}-${block.line}.${extension}`;
}

async function compile(): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const run = promisify(execFile)(process.execPath, [compiler, '-p', directory, '--pretty', 'false'], {
    cwd: directory,
  });
  return run.then(
    ({ stdout }) => stdout,
    ({ stdout, stderr, code }: { stdout: string; stderr: string; code: unknown }) => {
      // 1 and 2 are the compiler's own way to say that there are errors.
      if (code !== 1 && code !== 2) throw new Error(`the compiler did not run: ${stderr}${stdout}`);
      return stdout;
    },
  );
}

beforeAll(async () => {
  await mkdir(cache, { recursive: true });
  directory = await mkdtemp(join(cache, 'code-'));
  const sources = workspacePackages.map(({ folder, manifest }) => [
    manifest.name,
    [join(root, folder, 'src/index.ts')] as const,
  ]);
  const options = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      composite: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      noEmit: true,
      allowImportingTsExtensions: true,
      allowJs: true,
      checkJs: true,
      paths: Object.fromEntries(sources),
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: ['*.ts', '*.mjs'],
  };
  await writeFile(join(directory, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(options));
  for (const block of blocks) await writeFile(join(directory, moduleName(block)), block.code);
  // Something that is wrong, so that a compiler that looks at nothing is noticed.
  await writeFile(
    join(directory, 'control.ts'),
    "import { createSandbox } from '@nanoclaw/core';\ncreateSandbox(1);\n",
  );
  output = await compile();
});

afterAll(async () => {
  if (directory !== '') await rm(directory, { recursive: true, force: true });
});

describe('code in the docs', () => {
  it('is looked at', () => {
    expect(blocks.map(({ file }) => file)).toEqual(expect.arrayContaining(['README.md', 'docs/architecture.md']));
    expect(output).toMatch(/^control\.ts\(2,15\): error TS2345/m);
  });

  it.each(blocks)('compiles at $file:$line', (block) => {
    const name = moduleName(block);
    const errors = output
      .split('\n')
      .filter((line) => line.startsWith(`${name}(`))
      .map((line) =>
        line.replace(/^.*?\((\d+),(\d+)\)/, (_, row: string, column: string) => {
          return `${block.file}:${block.line + Number(row) - 1}:${column}`;
        }),
      );
    expect(errors).toEqual([]);
    expect(block.code, 'a module of its own imports what it uses').toMatch(/^(?:import|export)\b/m);
  });

  it('leaves nothing in the repository', () => {
    expect(projectFiles().filter((path) => path.includes('nanoclaw-docs'))).toEqual([]);
  });
});
