import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliOptions, type RunResult, run } from '../support/cli.ts';
import { describeEngine } from '../support/engine.ts';

/** An ELF header for a machine of another kind, with one program header, so that nothing else is wrong with it. */
function foreignProgram(): Buffer {
  const elf = Buffer.alloc(120);
  elf.write('\x7fELF', 'latin1');
  elf.set([2, 1, 1], 4);
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(0x400078n, 24);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  return elf;
}

/** One line that says what is wrong and what to do; the right code; nothing left; nothing on stdout. */
function expectComplaint(result: RunResult, code: number, ...patterns: readonly RegExp[]): void {
  expect(result.stderr).toMatch(/^nanoclaw: [^\n]+\n$/);
  for (const pattern of patterns) expect(result.stderr).toMatch(pattern);
  expect(result.stderr).not.toMatch(/\n\s+at |node:internal|TypeError/);
  expect(result).toMatchObject({ code, signal: null, left: [] });
  expect(result.stdout.toString()).toBe('');
}

describeEngine('bad input', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-bad-'));
    await chmod(directory, 0o755);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const withTrue = (args: readonly string[], options?: CliOptions) => run([...args, '--', 'true'], options);

  describe('engine', () => {
    it('not running', async () => {
      const env = { DOCKER_HOST: `unix://${directory}/none.sock` };
      expectComplaint(await withTrue([], { env }), 125, /No Docker engine at unix:/, /Start Docker|DOCKER_HOST/);
    });

    it('behind a socket that nobody listens on any more', async () => {
      const env = { DOCKER_HOST: 'tcp://127.0.0.1:1' };
      expectComplaint(await withTrue([], { env }), 125, /Nothing listens at/, /Start Docker/);
    });

    it.skipIf(process.getuid?.() !== 0)('behind a socket without permission', async () => {
      const socket = join(directory, 'private.sock');
      const server = createServer().listen(socket);
      await new Promise((resolve) => server.once('listening', resolve));
      await chmod(socket, 0o600);
      await chown(socket, 65_534, 65_534);
      try {
        // Somebody else's home can't be ours.
        const env = { DOCKER_HOST: `unix://${socket}`, HOME: directory };
        expectComplaint(
          await withTrue([], { env, withoutOverride: true }),
          125,
          /No permission/,
          /usermod -aG docker|run as root/,
        );
      } finally {
        server.close();
      }
    });

    it('that speaks something else', async () => {
      const server = createServer((socket) => socket.end('220 mail ready\r\n')).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      try {
        expectComplaint(
          await withTrue([], { env: { DOCKER_HOST: `tcp://127.0.0.1:${port}` } }),
          125,
          /does not speak|closed/,
        );
      } finally {
        server.close();
      }
    });
  });

  describe('image', () => {
    it.each([
      ['missing', ['--image', 'localhost:1/no-such/image:1'], /no-such\/image:1/],
      ['that looks like an option', ['--image=--privileged'], /image reference/],
      ['with a newline', ['--image', 'a\nb'], /image reference/],
      ['in upper case', ['--image', 'Python'], /lower case/],
    ])('%s', async (_, args, pattern) => {
      expectComplaint(await withTrue(args), 125, pattern);
    });

    it('not given', async () => {
      expectComplaint(await withTrue([], { env: { NANOCLAW_IMAGE: '' } }), 125, /pass --image REF/);
    });
  });

  describe('runtime', () => {
    it('unknown', async () => {
      expectComplaint(await withTrue(['--runtime', 'dcoker']), 125, /expected 'auto', 'docker' or the path/);
    });

    it.each([
      ['missing', undefined, /can't be loaded/],
      [
        'without createRuntime',
        'export const other = 1;',
        /exports no function named createRuntime \(it exports other\)/,
      ],
      [
        'that is not whole',
        'export const createRuntime = () => ({ name: "x", start() {} });',
        /capabilities\(\), ensureImage\(\).* are missing/,
      ],
      ['that throws', 'export function createRuntime() { throw new Error("no licence"); }', /no licence/],
    ])('a module %s', async (name, source, pattern) => {
      const path = join(directory, `${name.replaceAll(' ', '-')}.mjs`);
      if (source !== undefined) await writeFile(path, source);
      expectComplaint(await withTrue(['--runtime', path]), 125, pattern);
    });
  });

  describe('policy', () => {
    it.each([
      ['missing', undefined, /there is no such file, and the presets are 'default'/],
      ['neither YAML nor JSON', 'memory: [1', /neither YAML nor JSON: line \d/],
      ['with an unknown field', 'memroy: 1g', /"memroy" is not a field/],
      ['with a wrong value', 'memory: 64mb', /memory: expected a size/],
      ['with a field twice', 'pids: 10\npids: 20', /line 2/],
      ['that is a list', '- memory', /expected an object/],
    ])('%s', async (name, text, pattern) => {
      const path = join(directory, `${name.replaceAll(' ', '-')}.yaml`);
      if (text !== undefined) await writeFile(path, text);
      expectComplaint(await withTrue(['--policy', path]), 125, pattern);
    });

    it.each([
      [['--memory', '-1'], /--memory: expected a size/],
      [['--timeout', '60'], /--timeout: .*without a unit/],
      [['--cpus', 'all'], /--cpus: expected a number/],
      [['--pids', '0'], /pids/],
      [['--user', '0:1000'], /user\.uid: 0 is root/],
      [['--mount', '/'], /--mount: expected SRC:DST/],
      [['--mount', '/etc:/x'], /etc/],
      [['--mount', '/var/run/docker.sock:/x'], /docker\.sock/],
      [['--env', '=x'], /environment/],
      [['--policy', 'strict', '--timeout', '2m'], /strict/],
    ])('%j', async (args, pattern) => {
      expectComplaint(await withTrue(args), 125, pattern);
    });

    it('says every problem of several', async () => {
      const result = await withTrue(['--pids', '0', '--workdir', 'relative', '--cpu-shares', '1']);
      expect(result).toMatchObject({ code: 125, left: [] });
      for (const field of ['pids', 'workdir', 'cpuShares']) expect(result.stderr).toContain(`- ${field}: `);
    });
  });

  describe('command', () => {
    it('not found', async () => {
      expectComplaint(await run(['--', 'pyhton']), 127, /"pyhton" is not in PATH/, /use an image that has it/);
    });

    it('not executable', async () => {
      const path = join(directory, 'plain.sh');
      await writeFile(path, '#!/bin/sh\necho hi\n', { mode: 0o644 });
      expectComplaint(
        await run(['--copy-in', `${path}:.`, '--', './plain.sh']),
        126,
        /no execute permission/,
        /interpreter/,
      );
    });

    it('for another architecture', async () => {
      const path = join(directory, 'foreign');
      await writeFile(path, foreignProgram(), { mode: 0o755 });
      expectComplaint(await run(['--copy-in', `${path}:.`, '--', './foreign']), 126, /architecture/);
    });

    it('not given', async () => {
      expectComplaint(await run([]), 125, /missing required argument 'command'/, /nanoclaw run --help/);
    });

    it('with an unknown flag', async () => {
      expectComplaint(await withTrue(['--privileged']), 125, /unknown option '--privileged'/);
    });
  });

  describe('copy', () => {
    it('in of a missing file', async () => {
      expectComplaint(await withTrue(['--copy-in', 'no/such:x']), 125, /no file or directory 'no\/such' on this host/);
    });

    it('in of what is no file', async () => {
      expectComplaint(await withTrue(['--copy-in', '/dev/null:x']), 125, /regular file or a directory/);
    });

    it('without a target', async () => {
      expectComplaint(await withTrue(['--copy-in', 'a']), 125, /expected SRC:DST, found 'a'/);
    });

    it('in of more than fits', async () => {
      const path = join(directory, 'big');
      await writeFile(path, Buffer.alloc(140 << 20));
      expectComplaint(await withTrue(['--copy-in', `${path}:.`]), 125, /no space left/, /'scratch'/);
    });

    it('in to where nothing can be written', async () => {
      const path = join(directory, 'small');
      await writeFile(path, 'x');
      expectComplaint(await withTrue(['--copy-in', `${path}:/etc/x`]), 125, /read-only/i);
    });

    it('out of a missing file', async () => {
      expectComplaint(
        await withTrue(['--copy-out', `missing:${directory}/x`]),
        125,
        /--copy-out: missing was not copied/,
      );
    });

    it.skipIf(process.getuid?.() !== 0)('out to a full disk, leaving no half of it', async () => {
      const { execFileSync } = await import('node:child_process');
      const tiny = join(directory, 'tiny');
      await mkdir(tiny);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', tiny]);
      try {
        const result = await run([
          '--copy-out',
          `x:${tiny}/`,
          '--',
          'dd',
          'if=/dev/zero',
          'of=x',
          'bs=1k',
          'count=300',
        ]);
        expect(result).toMatchObject({ code: 125, left: [] });
        expect(result.stderr).toMatch(
          /nanoclaw: --copy-out: x was not copied: [^\n]*no space is left on this host[^\n]*\n$/,
        );
        expect(await readdir(tiny)).toEqual([]);
      } finally {
        execFileSync('umount', [tiny]);
      }
    });

    it('says what was not copied where the sandbox went before', async () => {
      const path = join(directory, 'short.yaml');
      await writeFile(path, 'lifetime: 1s\n');
      const result = await run(['--policy', path, '--copy-out', `x:${directory}/gone`, '--', 'sleep', '30']);
      expect(result).toMatchObject({ code: 124, left: [] });
      expect(result.stderr).toContain('--copy-out: x was not copied');
      expect(result.stderr).toMatch(/lifetime/);
    });
  });

  it.skipIf(process.platform !== 'linux')('output to a full disk', async () => {
    const { execFile } = await import('node:child_process');
    const { cliEntry } = await import('../support/cli.ts');
    const { dockerHost, testImages } = await import('../support/engine.ts');
    const env = {
      ...process.env,
      DOCKER_HOST: dockerHost(),
      NANOCLAW_IMAGE: testImages.busybox,
      CLI: cliEntry,
      NODE: process.execPath,
    };
    const [code, stderr] = await new Promise<[unknown, string]>((resolve) => {
      execFile('sh', ['-c', '"$NODE" "$CLI" run -- yes > /dev/full'], { env }, (error, _, text) =>
        resolve([error?.code, text]),
      );
    });
    expect(code).toBe(125);
    expect(stderr).toMatch(/^nanoclaw: [^\n]*ENOSPC[^\n]*\n$/);
  });
});
