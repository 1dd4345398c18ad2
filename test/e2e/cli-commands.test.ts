import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliEntry, nanoclaw } from '../support/cli.ts';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanoclaw-commands-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('nanoclaw', () => {
  it('tells its version and its commands', async () => {
    expect((await nanoclaw(['--version'])).stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { code, stdout } = await nanoclaw(['--help']);
    expect(code).toBe(0);
    for (const command of ['run', 'doctor', 'policy', 'ps', 'reap', 'bench'])
      expect(stdout.toString()).toContain(`  ${command} `);
    expect(stdout.toString()).toContain('Examples:');
  });

  it.each([
    [['no-such'], 2],
    [['ps', '--no-such'], 2],
    [['policy', 'check'], 2],
    [['reap', '--older-than', 'yesterday'], 1],
    [['bench', 'exec', '--iterations', '0'], 1],
    [['doctor', '--deep'], 1],
  ])('called as %j exits %i with one line', async (args, code) => {
    const result = await nanoclaw(args, { env: { NANOCLAW_IMAGE: args[0] === 'doctor' ? '' : 'x:1' } });
    expect(result).toMatchObject({ code, stdout: Buffer.alloc(0) });
    expect(result.stderr).toMatch(/^nanoclaw: [^\n]+\n$/);
  });

  it('shows a stack where --verbose asks for it, else none', async () => {
    const args = ['ps', '--runtime', 'nothing'];
    expect((await nanoclaw(args)).stderr).not.toContain('    at ');
    expect((await nanoclaw([...args, '--verbose'])).stderr).toContain('    at ');
    expect((await nanoclaw(['--verbose', ...args])).stderr).toContain('    at ');
  });
});

describe('nanoclaw on an older Node', () => {
  /** A Node that says it is old, as far as our program asks. */
  async function onNode(version: string, root: string, args: readonly string[]) {
    const preload = join(directory, 'old.cjs');
    const fake = `Object.defineProperty(process.versions, 'node', { value: process.env.AGAIN ? process.versions.node : '${version}' });`;
    await writeFile(preload, `${fake} process.env.AGAIN = '1';`);
    const entry = join(root, 'packages', 'cli', 'bin', 'nanoclaw.js');
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, ['--require', preload, entry, ...args], (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      );
    });
  }

  async function checkout(name: string): Promise<string> {
    const root = join(directory, name);
    await mkdir(join(root, 'packages', 'cli', 'bin'), { recursive: true });
    await writeFile(join(root, 'packages', 'cli', 'package.json'), '{"type":"module"}');
    await writeFile(join(root, 'packages', 'cli', 'bin', 'nanoclaw.js'), await readFile(cliEntry));
    return root;
  }

  it('runs itself with the Node that the checkout recorded, and passes arguments and exit code on', async () => {
    const root = await checkout('recorded');
    const node = join(root, 'node');
    await writeFile(node, '#!/bin/sh\nshift\necho "with: $*"\nexit 42\n', { mode: 0o755 });
    await mkdir(join(root, 'node_modules', '.cache', 'nanoclaw'), { recursive: true });
    await writeFile(join(root, 'node_modules', '.cache', 'nanoclaw', 'node-path'), `${node}\n`);
    expect(await onNode('18.20.0', root, ['run', 'a b'])).toEqual({ code: 42, stdout: 'with: run a b\n', stderr: '' });
    const linked = join(directory, 'linked');
    await mkdir(linked);
    await symlink(join(root, 'packages'), join(linked, 'packages'));
    expect(await onNode('22.11.9', linked, [])).toMatchObject({ code: 42 });
  });

  it('says what is missing where there is none', async () => {
    const result = await onNode('18.20.0', await checkout('bare'), ['run']);
    expect(result).toMatchObject({ code: 125, stdout: '' });
    expect(result.stderr).toMatch(/^nanoclaw: Node 22\.12 or newer is needed, this is 18\.20\.0\. .*npm start.*\n$/);
  });

  it('says that it is not built where it is not', async () => {
    const result = await onNode('22.12.0', await checkout('unbuilt'), ['run']);
    expect(result).toMatchObject({ code: 125, stderr: expect.stringContaining('npm run setup') });
  });
});

describe('nanoclaw policy', () => {
  it.each(['default', 'strict', 'openclaw'])('shows the preset %s, which checks as valid', async (preset) => {
    const { code, stdout } = await nanoclaw(['policy', 'show', preset]);
    expect(code).toBe(0);
    const file = join(directory, `${preset}.yaml`);
    await writeFile(file, stdout);
    expect(await nanoclaw(['policy', 'check', file])).toMatchObject({ code: 0, stderr: '' });
    const json = await nanoclaw(['policy', 'show', file, '--json']);
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ preset, network: 'none', egress: [] });
  });

  it('says every problem with its path, and exits 1', async () => {
    const file = join(directory, 'bad.yaml');
    await writeFile(file, 'memory: 1\nscratch:\n  - path: tmp\n    size: huge\nprivileged: true\n');
    const { code, stdout } = await nanoclaw(['policy', 'check', file]);
    expect(code).toBe(1);
    for (const path of ['memory', 'scratch[0].path', 'scratch[0].size', 'privileged'])
      expect(stdout.toString()).toContain(`${file}: ${path}: `);
    const json = JSON.parse((await nanoclaw(['policy', 'check', file, '--json'])).stdout.toString());
    expect(json).toMatchObject({ valid: false });
    expect(json.problems.map(({ path }: { path: string }) => path)).toContain('scratch[0].size');
  });

  it('names the line of what is no YAML', async () => {
    const file = join(directory, 'broken.yaml');
    await writeFile(file, 'memory: 1g\npids: [1\n');
    expect((await nanoclaw(['policy', 'check', file])).stdout.toString()).toMatch(/broken\.yaml: line \d: /);
  });

  it('does not expand what would fill the memory', async () => {
    const file = join(directory, 'bomb.yaml');
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 12; level += 1)
      lines.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    await writeFile(file, lines.join('\n'));
    expect(await nanoclaw(['policy', 'check', file])).toMatchObject({ code: 1 });
  });

  it('fails for a file that is not there', async () => {
    const result = await nanoclaw(['policy', 'check', join(directory, 'none.yaml')]);
    expect(result).toMatchObject({ code: 1 });
    expect(result.stderr).toMatch(/there is no such file/);
  });
});

describe('nanoclaw doctor without an engine', () => {
  it('says where it looked and what to do, and exits 1', async () => {
    const result = await nanoclaw(['doctor'], {
      env: { DOCKER_HOST: `unix://${directory}/none.sock`, HOME: directory, XDG_RUNTIME_DIR: directory },
    });
    expect(result.code).toBe(1);
    expect(result.stdout.toString()).toContain('none.sock');
    expect(result.stderr).toMatch(/no engine/);
  });
});

describeEngine('with an engine', () => {
  it('doctor says what it enforces', async () => {
    const { code, stdout, stderr } = await nanoclaw(['doctor']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toMatch(/^Docker Engine \d+\.\d+/);
    expect(stdout.toString()).toContain('default policy: enforced');
    expect(stdout.toString()).toMatch(/isolation microvm: no, .* To\s+cure it:/s);
    const json = JSON.parse((await nanoclaw(['doctor', '--json'])).stdout.toString());
    expect(json).toMatchObject({ ok: true });
    expect(json.engines[0]).toMatchObject({
      place: 'DOCKER_HOST',
      isDefault: true,
      reachable: true,
      enforcesDefaultPolicy: true,
      product: 'Docker Engine',
    });
  });

  it('doctor finds an engine by a context too, and says one that is dead', async () => {
    const meta = join(directory, 'docker', 'contexts', 'meta');
    for (const [id, Name, Host] of [
      ['a', 'live', dockerHost()],
      ['b', 'dead', `unix://${directory}/dead.sock`],
    ] as const) {
      await mkdir(join(meta, id), { recursive: true });
      await writeFile(join(meta, id, 'meta.json'), JSON.stringify({ Name, Endpoints: { docker: { Host } } }));
    }
    const env = { DOCKER_CONFIG: join(directory, 'docker'), DOCKER_HOST: `unix://${directory}/none.sock` };
    const { stdout } = await nanoclaw(['doctor', '--json'], { env });
    const { engines } = JSON.parse(stdout.toString()) as {
      engines: { place: string; reachable: boolean; error?: object }[];
    };
    expect(engines.find(({ place }) => place.includes('dead'))).toMatchObject({
      reachable: false,
      error: { code: 'ENGINE_UNAVAILABLE' },
    });
  });

  it('doctor --deep starts one and prints what it attests', async () => {
    const result = await nanoclaw(['doctor', '--deep', '--image', testImages.busybox]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout.toString()).toMatch(/\n {2}memory +verified +536870912 +=/);
  });

  it('ps lists a sandbox, reap leaves it alone', async () => {
    const runtime = createDockerRuntime({ host: dockerHost() });
    {
      await using sandbox = await createSandbox({ runtime, image: testImages.busybox });
      expect((await nanoclaw(['ps'])).stdout.toString()).toMatch(new RegExp(`${sandbox.id} +running`));
      const listed = JSON.parse((await nanoclaw(['ps', '--json'])).stdout.toString()) as object[];
      expect(listed).toContainEqual(
        expect.objectContaining({ sandboxId: sandbox.id, containerId: sandbox.containerId, state: 'running' }),
      );
      const reaped = JSON.parse(
        (await nanoclaw(['reap', '--older-than', '60s', '--json'])).stdout.toString(),
      ) as object[];
      expect(reaped).not.toContainEqual(expect.objectContaining({ sandboxId: sandbox.id }));
      expect((await sandbox.exec(['true'])).exitCode).toBe(0);
    }
    await runtime.close();
  });

  it('bench exec answers in the form that later benchmarks keep', { timeout: 300_000 }, async () => {
    const out = join(directory, 'bench.json');
    const result = await nanoclaw(['bench', 'exec', '--iterations', '1', '--json', '--out', out]);
    expect(result.code).toBe(0);
    const json = JSON.parse(result.stdout.toString());
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(json);
    expect(json).toMatchObject({
      machine: { cpuCount: expect.any(Number) },
      versions: { node: process.versions.node },
    });
    const subjects = json.results.map(({ subject }: { subject: string }) => subject);
    expect(subjects).toEqual(
      expect.arrayContaining(['nanoclaw-exec', 'engine-exec', 'nanoclaw-cold', 'engine-api-cold']),
    );
    const { stdout: client } = await promisify(execFile)('sh', ['-c', 'command -v docker || true']);
    if (client !== '') expect(subjects).toContain('engine-cli-run');
    for (const line of json.results) {
      expect(line).toMatchObject({ scenario: expect.any(String), runtime: 'docker', errors: 0 });
      for (const name of ['n', 'p50Ms', 'p95Ms', 'p99Ms', 'maxMs']) expect(line[name]).toBeGreaterThan(0);
    }
    const figures = json.figures.map(({ name }: { name: string }) => name);
    expect(figures).toEqual(expect.arrayContaining(['runner-rss', 'stdout-throughput', 'host-rss-per-idle-sandbox']));
  });
});
