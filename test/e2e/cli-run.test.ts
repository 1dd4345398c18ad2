import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlNames } from '@nanoclaw/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nanoclaw, run } from '../support/cli.ts';
import { describeEngine, testImages } from '../support/engine.ts';

describeEngine('nanoclaw run', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-cli-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  describe('exits with', () => {
    const memory = ['--image', testImages.python, '--memory', '128m'];
    it.each([
      ['0', 0, ['--', 'true'], ''],
      ["the command's own code", 3, ['--', 'sh', '-c', 'exit 3'], ''],
      ['128 and the number of the signal that ended it', 143, ['--', 'sh', '-c', 'kill -TERM $$'], ''],
      ['124 after its time', 124, ['--timeout', '300ms', '--', 'sleep', '20'], 'killed after 0.3 s; --timeout'],
      ['127 for a command that is not there', 127, ['--', 'no-such-command'], '"no-such-command" is not in PATH'],
      ['127 for a path that is not there', 127, ['--', '/no/such'], '/no/such'],
      ['126 for a file without the right', 126, ['--', '/etc/passwd'], 'may not be executed'],
      ['126 for a directory', 126, ['--', '/tmp'], '/tmp'],
      ['137 out of memory', 137, [...memory, '--', 'python3', '-c', 'x = bytearray(300 << 20)'], '--memory'],
    ])('%s', async (_, code, args, complaint) => {
      const result = await run(args);
      expect(result).toMatchObject({ code, signal: null, left: [] });
      expect(result.stdout.toString()).toBe('');
      if (complaint === '') expect(result.stderr).toBe('');
      else expect(result.stderr).toMatch(new RegExp(`^nanoclaw: [^\n]*${complaint}[^\n]*\n$`));
    });

    it('the own code of a command that got over a child without memory', async () => {
      const script = 'import subprocess; subprocess.run(["python3", "-c", "x = bytearray(300 << 20)"])';
      const result = await run([...memory, '--', 'python3', '-c', script]);
      expect(result).toMatchObject({ code: 0, left: [] });
    });
  });

  describe('streams', () => {
    it('stdout and stderr apart, bytes as they are', async () => {
      const bytes = Buffer.concat([Buffer.from('00ff80c3280a1b5d35323b', 'hex'), randomBytes(200_000)]);
      const result = await run(['-i', '--', 'sh', '-c', 'echo oops >&2; cat'], { input: bytes });
      expect(result).toMatchObject({ code: 0, stderr: 'oops\n', left: [] });
      expect(result.stdout.equals(bytes)).toBe(true);
    });

    it('no input without -i', async () => {
      const result = await run(['--', 'cat'], { input: 'secret' });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(result.stdout).toHaveLength(0);
    });

    it('input to a command that does not read it', async () => {
      expect(await run(['-i', '--', 'true'], { input: randomBytes(1_000_000) })).toMatchObject({
        code: 0,
        stderr: '',
        left: [],
      });
    });

    it('100 MB', async () => {
      const result = await run(['--', 'dd', 'if=/dev/zero', 'bs=1M', 'count=100']);
      expect(result.stdout).toHaveLength(100 << 20);
    });

    it('short output every time', async () => {
      for (let repeat = 0; repeat < 5; repeat += 1) {
        expect((await run(['--', 'echo', 'hi'])).stdout.toString()).toBe('hi\n');
      }
    });
  });

  describe('settings', () => {
    it('takes environment, directory and user', async () => {
      const args = ['-e', 'A=1 2=3', '-e', 'FROM_HERE', '-e', 'NOT_HERE', '-w', '/tmp'];
      const result = await nanoclaw(
        ['run', '--user', '23456:23457', ...args, '--', 'sh', '-c', 'pwd; id -u; id -g; env'],
        {
          env: { FROM_HERE: 'yes' },
        },
      );
      const lines = result.stdout.toString().split('\n');
      expect(lines.slice(0, 3)).toEqual(['/tmp', '23456', '23457']);
      expect(lines).toEqual(expect.arrayContaining(['A=1 2=3', 'FROM_HERE=yes']));
      expect(result.stdout.toString()).not.toContain('NOT_HERE');
    });

    it('puts flags above the policy file, YAML or JSON', async () => {
      await writeFile(join(directory, 'policy.yaml'), '# ours\npreset: strict\npids: 100\nmemory: 256m\n');
      await writeFile(join(directory, 'policy.json'), JSON.stringify({ preset: 'strict', pids: 100, memory: '256m' }));
      for (const name of ['policy.yaml', 'policy.json']) {
        const { stdout } = await nanoclaw([
          'run',
          '--json',
          '--policy',
          join(directory, name),
          '--pids',
          '64',
          '--',
          'true',
        ]);
        const { controls } = JSON.parse(stdout.toString()).attestation as {
          controls: { control: string; found: string }[];
        };
        const found = Object.fromEntries(controls.map(({ control, found }) => [control, found]));
        expect(found).toMatchObject({ pids: '64', memory: String(256 << 20) });
      }
    });

    it('lets --timeout go beyond the usual lifetime', async () => {
      expect(await run(['--timeout', '1h', '--', 'true'])).toMatchObject({ code: 0, stderr: '' });
    });

    it('mounts read-only unless told otherwise', async () => {
      const source = join(directory, 'mounted');
      await mkdir(source);
      await writeFile(join(source, 'file'), 'from the host');
      const result = await run(['--mount', `${source}:/data`, '--', 'sh', '-c', 'cat /data/file; echo x > /data/new']);
      expect(result.stdout.toString()).toBe('from the host');
      expect(result.code).not.toBe(0);
      expect(await readdir(source)).toEqual(['file']);
    });

    it('needs no -- before the command', async () => {
      expect((await run(['echo', '-n', '--json', '-i'])).stdout.toString()).toBe('--json -i');
    });
  });

  describe('--json', () => {
    it('prints one object', async () => {
      const result = await run(['--json', '--', 'sh', '-c', 'echo out; echo err >&2; exit 4']);
      expect(result).toMatchObject({ code: 4, stderr: '', left: [] });
      const json = JSON.parse(result.stdout.toString());
      expect(json).toMatchObject({
        sandboxId: expect.stringMatching(/^[0-9a-f]{12}$/),
        runtime: 'docker',
        exitCode: 4,
        signal: null,
        timedOut: false,
        oomKilled: false,
        stdout: 'out\n',
        stderr: 'err\n',
        truncated: false,
        durationMs: expect.any(Number),
        timings: {
          capabilitiesMs: expect.any(Number),
          imageMs: expect.any(Number),
          startMs: expect.any(Number),
          helloMs: expect.any(Number),
          totalMs: expect.any(Number),
        },
        attestation: { runtime: 'docker', controls: expect.any(Array) },
      });
      const { controls } = json.attestation as { controls: { control: string; outcome: string }[] };
      expect(controls.map(({ control }) => control)).toEqual(
        expect.arrayContaining(controlNames.filter((name) => name !== 'mounts')),
      );
      expect(new Set(controls.map(({ outcome }) => outcome))).toEqual(new Set(['verified']));
    });

    it.each([
      [
        'a signal',
        137,
        ['--', 'sh', '-c', 'kill -KILL $$'],
        { exitCode: null, signal: 'SIGKILL', timedOut: false, oomKilled: false },
      ],
      ['a timeout', 124, ['--timeout', '200ms', '--', 'sleep', '9'], { timedOut: true }],
    ])('tells %s', async (_, code, args, expected) => {
      const result = await run(['--json', ...args]);
      expect(result).toMatchObject({ code, stderr: '' });
      expect(JSON.parse(result.stdout.toString())).toMatchObject(expected);
    });

    it('gives bytes that are no UTF-8 in base64 too', async () => {
      const { stdout } = await run(['--json', '--', 'printf', '\\377\\000a']);
      expect(JSON.parse(stdout.toString())).toMatchObject({
        stdout: '\ufffd\0a',
        stdoutBase64: Buffer.from('ff0061', 'hex').toString('base64'),
      });
    });

    it('keeps 4 MiB of output, and says that there was more', async () => {
      const json = JSON.parse(
        (await run(['--json', '--', 'dd', 'if=/dev/zero', 'bs=1M', 'count=9'])).stdout.toString(),
      );
      expect(json.truncated).toBe(true);
      expect(json.stdout).toHaveLength(4 << 20);
    });

    it.each([
      ['no such command', 127, ['--', 'no-such'], 'COMMAND_NOT_FOUND'],
      ['a wrong flag', 125, ['--memory', 'lots', '--', 'true'], 'INVALID_ARGUMENT'],
      ['an unknown flag', 125, ['--lots', '--', 'true'], 'INVALID_ARGUMENT'],
      ['a policy that is not valid', 125, ['--pids', '1', '--', 'true'], 'INVALID_POLICY'],
    ])('prints an error for %s', async (_, code, args, errorCode) => {
      const result = await run(['--json', ...args]);
      expect(result).toMatchObject({ code, stderr: '', left: [] });
      expect(JSON.parse(result.stdout.toString())).toMatchObject({
        error: { code: errorCode, message: expect.any(String) },
      });
    });
  });

  describe('copies', () => {
    it('files and directories in and out, binary safe, also when the command fails', async () => {
      const bytes = randomBytes(500_000);
      const source = join(directory, 'source');
      await mkdir(join(source, 'sub'), { recursive: true });
      await writeFile(join(source, 'sub', 'a.bin'), bytes);
      await writeFile(join(directory, 'one.bin'), bytes);
      const target = join(directory, 'out');
      const args = ['--copy-in', `${source}:tree`, '--copy-in', `${join(directory, 'one.bin')}:/workspace`];
      const outs = ['--copy-out', `tree:${target}`, '--copy-out', `/workspace/one.bin:${directory}/made/`];
      const result = await run([...args, ...outs, '--', 'sh', '-c', 'cp one.bin tree/b.bin; exit 7']);
      expect(result).toMatchObject({ code: 7, stderr: '', left: [] });
      expect((await readFile(join(target, 'sub', 'a.bin'))).equals(bytes)).toBe(true);
      expect((await readFile(join(target, 'b.bin'))).equals(bytes)).toBe(true);
      expect((await readFile(join(directory, 'made', 'one.bin'))).equals(bytes)).toBe(true);
    });

    it('out after a timeout, and keeps the exit code where that fails', async () => {
      const target = join(directory, 'late');
      const args = ['--timeout', '500ms', '--copy-out', `x:${target}`, '--copy-out', `nothing:${target}2`];
      const result = await run([...args, '--', 'sh', '-c', 'echo x > x; sleep 20']);
      expect(result).toMatchObject({ code: 124, left: [] });
      expect(await readFile(target, 'utf8')).toBe('x\n');
      expect(result.stderr).toContain('--copy-out: nothing was not copied');
    });

    it('never follows links of the sandbox', async () => {
      const target = join(directory, 'links');
      const result = await run(['--copy-out', `d:${target}`, '--', 'sh', '-c', 'mkdir d; ln -s /etc/shadow d/x']);
      expect(result).toMatchObject({ code: 125, left: [] });
      expect(await readdir(target).catch(() => [])).toEqual([]);
    });
  });
});
