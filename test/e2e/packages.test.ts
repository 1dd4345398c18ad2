import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** `npm test` names its own pnpm; a developer's is on PATH. */
function pnpm(args: readonly string[], cwd: string) {
  const { NANOCLAW_PNPM: entry, NODE_ENV: _, ...env } = process.env;
  const [command, ...first] = entry ? [process.execPath, entry] : ['pnpm'];
  return execute(command ?? '', [...first, ...args], { cwd, env: { ...env, CI: 'true' }, maxBuffer: 64 << 20 });
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

describe('the packages, packed', () => {
  let directory: string;
  const tarballs = new Map<string, string>();
  const manifests = new Map<string, Manifest>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-packages-'));
    const names = await readdir(join(root, 'packages'));
    for (const name of names) {
      const target = join(directory, 'packed', name);
      await mkdir(target, { recursive: true });
      await pnpm(['pack', '--pack-destination', target], join(root, 'packages', name));
      const [file = ''] = await readdir(target);
      await execute('tar', ['-xzf', file], { cwd: target });
      const manifest = JSON.parse(await readFile(join(target, 'package', 'package.json'), 'utf8')) as Manifest;
      manifests.set(manifest.name, manifest);
      tarballs.set(manifest.name, join(target, file));
    }
  }, 180_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('name no workspace and no catalog, and each other in their own version', () => {
    for (const { dependencies = {} } of manifests.values()) {
      for (const [name, range] of Object.entries(dependencies)) {
        expect(range).not.toMatch(/workspace:|catalog:|link:|file:/);
        const ours = manifests.get(name);
        if (ours) expect(range).toBe(ours.version);
      }
    }
  });

  it('hold what they name, and neither sources, tests nor build leftovers', async () => {
    for (const [name, { bin = {}, exports = {} }] of manifests) {
      const unpacked = join(tarballs.get(name) ?? '', '..', 'package');
      const files = (await readdir(unpacked, { recursive: true })).map((file) => file.replaceAll('\\', '/'));
      const named = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => Object.values(entry))];
      for (const path of named) expect(files).toContain(path.replace(/^\.\//, ''));
      expect(files.filter((file) => /(^|\/)(src|test)\/|\.tsbuildinfo$|\.go$/.test(file))).toEqual([]);
    }
    const runner = join(tarballs.get('@nanoclaw/runner') ?? '', '..', 'package', 'dist');
    for (const architecture of ['amd64', 'arm64']) {
      expect(await readdir(join(runner, `linux-${architecture}`))).toContain('nanoclaw-runner');
    }
  });

  describeEngine('installed into an empty project elsewhere', () => {
    let project: string;
    beforeAll(async () => {
      project = join(directory, 'project');
      await mkdir(project);
      const files = Object.fromEntries([...tarballs].map(([name, path]) => [name, `file:${path}`]));
      await writeFile(
        join(project, 'package.json'),
        JSON.stringify({ type: 'module', private: true, dependencies: files }),
      );
      // Until they are published, our packages find each other in the tarballs. No install script may run.
      const overrides = Object.entries(files).map(([name, path]) => `  '${name}': '${path}'\n`);
      const denied = ['cpu-features', 'protobufjs', 'ssh2'].map((name) => `  ${name}: false\n`);
      await writeFile(
        join(project, 'pnpm-workspace.yaml'),
        `packages: []\noverrides:\n${overrides.join('')}allowBuilds:\n${denied.join('')}`,
      );
      await pnpm(['install', '--prefer-offline', '--ignore-scripts', '--prod'], project);
      await copyFile(join(root, 'examples', 'quickstart.mjs'), join(project, 'quickstart.mjs'));
    }, 300_000);

    it("run the README's example", async () => {
      const env = { ...process.env, DOCKER_HOST: dockerHost(), NANOCLAW_IMAGE: testImages.python };
      const { stdout } = await execute(process.execPath, ['quickstart.mjs'], { cwd: project, env });
      expect(stdout).toContain("[('to', 2), ('be', 2)]");
      expect(stdout).toContain('network: no interface but loopback');
    });

    it('have the command', async () => {
      const env = { ...process.env, DOCKER_HOST: dockerHost() };
      const args = ['run', '--image', testImages.busybox, '--', 'echo', 'from the package'];
      const { stdout } = await execute(join(project, 'node_modules', '.bin', 'nanoclaw'), args, {
        cwd: project,
        env: { ...env, PATH: `${join(process.execPath, '..')}:${process.env.PATH ?? ''}` },
      });
      expect(stdout).toBe('from the package\n');
    });

    it('have types that compile', async () => {
      await writeFile(
        join(project, 'typed.ts'),
        [
          "import { createSandbox, isNanoclawError, type ExecResult, type PolicyInput } from '@nanoclaw/core';",
          "import { createDockerRuntime } from '@nanoclaw/driver-docker';",
          "const policy: PolicyInput = { memory: '256m', execTimeout: '30s' };",
          "const sandbox = await createSandbox({ runtime: createDockerRuntime(), image: 'x', policy });",
          "const result: ExecResult = await sandbox.exec(['true']);",
          'export const code: number | null = isNanoclawError(result) ? null : result.exitCode;',
          '// @ts-expect-error: there is no such field',
          'export const wrong: PolicyInput = { privileged: true };',
        ].join('\n'),
      );
      const options = [
        '--noEmit',
        '--strict',
        '--target',
        'es2024',
        '--module',
        'nodenext',
        '--lib',
        'es2024,esnext.disposable',
      ];
      const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const checked = await execute(process.execPath, [tsc, ...options, ...types, 'typed.ts'], { cwd: project }).catch(
        (error: { stdout: string }) => error,
      );
      expect(checked.stdout).toBe('');
    });
  });
});
