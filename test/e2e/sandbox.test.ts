import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

describeEngine('a sandbox', () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ runtime, image: testImages.python, env: { GREETING: 'hello' } });
  });
  afterAll(async () => {
    await sandbox?.destroy();
    await runtime.close();
  });

  describe('exec', () => {
    it('resolves with exit code, output and time; a non-zero exit is a result', async () => {
      const result = await sandbox.exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
      expect(result).toMatchObject({
        exitCode: 3,
        signal: null,
        stdout: 'out\n',
        stderr: 'err\n',
        timedOut: false,
        oomKilled: false,
        truncated: false,
      });
      expect(result.durationMs).toBeGreaterThan(0);
    });

    it('keeps stdout and stderr apart, byte for byte, empty output too', async () => {
      const bytes = randomBytes(300_000);
      const result = await sandbox.exec(['sh', '-c', 'tee /dev/stderr'], { input: bytes, encoding: 'buffer' });
      expect(result.stdout.equals(bytes) && result.stderr.equals(bytes)).toBe(true);
      expect(await sandbox.exec(['true'], { encoding: 'buffer' })).toMatchObject({
        stdout: Buffer.alloc(0),
        stderr: Buffer.alloc(0),
      });
      const odd = Buffer.from('00ff80c3280a', 'hex');
      expect((await sandbox.exec(['cat'], { input: odd, encoding: 'buffer' })).stdout).toEqual(odd);
      expect((await sandbox.exec(['cat'], { input: odd })).stdout).toBe('\0\ufffd\ufffd\ufffd(\n');
    });

    it('has the environment of sandbox and command, a home, a name, and nothing of the image or the host', async () => {
      const { stdout } = await sandbox.exec(['env'], { env: { EXTRA: 'a b\nc' } });
      expect(stdout).toContain('GREETING=hello\n');
      expect(stdout).toContain('EXTRA=a b\nc\n');
      expect(stdout).toContain('HOME=/workspace\n');
      expect((await sandbox.exec(['sh', '-c', 'whoami; pwd'])).stdout).toBe('sandbox\n/workspace\n');
    });

    it('runs several at once', async () => {
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, i) => sandbox.exec(['sh', '-c', `sleep 0.2; echo ${i}`])),
      );
      expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}\n`));
    });

    it('takes a stream as input and streams to the caller with backpressure', async () => {
      const chunks = Array.from({ length: 200 }, () => randomBytes(50_000));
      const out = new PassThrough({ highWaterMark: 1_000 });
      const received = buffer(out);
      const result = await sandbox.exec(['cat'], { input: Readable.from(chunks), stdout: out });
      out.end();
      expect(result).toMatchObject({ exitCode: 0, stdout: '', truncated: false });
      expect((await received).equals(Buffer.concat(chunks))).toBe(true);
    });

    it('ends although its input never does, and does not take that for an error', async () => {
      const never = new PassThrough();
      expect(
        await sandbox.exec(['head', '-c', '5'], {
          input: Readable.from(
            (async function* () {
              for (;;) yield Buffer.alloc(1_000, 'x');
            })(),
          ),
        }),
      ).toMatchObject({ exitCode: 0, stdout: 'xxxxx' });
      expect(await sandbox.exec(['echo', 'hi'], { input: never })).toMatchObject({ stdout: 'hi\n' });
    });

    it('says when the input that was given fails, and kills the command', async () => {
      const broken = Readable.from(
        (async function* () {
          yield 'a';
          throw new Error('disk on fire');
        })(),
      );
      await expect(sandbox.exec(['cat'], { input: broken })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        cause: expect.objectContaining({ message: 'disk on fire' }),
      });
    });

    it('keeps at most maxOutputBytes, and says so', async () => {
      const result = await sandbox.exec(['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x'], { maxOutputBytes: 10 });
      expect(result).toMatchObject({ exitCode: 0, stdout: 'xxxxxxxxxx', truncated: true });
    });

    it('kills everything that a command started at its timeout, double-forked and deaf to SIGTERM too', async () => {
      const script = `import os,signal,time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork()==0:
    os.setsid()
    if os.fork()==0:
        for fd in range(3): os.close(fd)
        time.sleep(1000)
    os._exit(0)
time.sleep(1000)`;
      const result = await sandbox.exec(['python3', '-c', script], { timeoutMs: 700 });
      expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', timedOut: true });
      const { stdout } = await sandbox.exec(['sh', '-c', 'for p in /proc/[0-9]*; do cat $p/comm; done']);
      expect(stdout).not.toContain('python3');
    });

    it('gives SIGTERM and time to clean up where asked', async () => {
      const result = await sandbox.exec(
        ['sh', '-c', 'trap "echo cleaned; exit 0" TERM; while :; do sleep 0.05; done'],
        { timeoutMs: 300, killGraceMs: 5_000 },
      );
      expect(result).toMatchObject({ timedOut: true, stdout: 'cleaned\n', exitCode: 0 });
    });

    it('kills the command on abort, and rejects with ABORTED', async () => {
      const controller = new AbortController();
      const running = sandbox.exec(['sh', '-c', 'sleep 777 & sleep 777'], { signal: controller.signal });
      setTimeout(() => controller.abort(), 200);
      await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
      expect((await sandbox.exec(['sh', '-c', 'grep -l 777 /proc/[0-9]*/cmdline'])).stdout).not.toMatch(
        /\d+\/cmdline\n.*\d+\/cmdline\n.*\d+/s,
      );
      await expect(sandbox.exec(['true'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    });

    it('says what it could not run, and why', async () => {
      await expect(sandbox.exec(['no-such-command'])).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
      await expect(sandbox.exec(['/etc/passwd'])).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE' });
      await expect(sandbox.exec(['/etc'])).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE' });
      await expect(sandbox.exec(['true'], { cwd: '/nowhere' })).rejects.toThrow(/nowhere/);
      await expect(sandbox.exec(['true', 'x'.repeat(131_072)])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      await expect(sandbox.exec([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(sandbox.exec(['a\0b'])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(sandbox.exec(['true'], { timeoutMs: 60_001 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(sandbox.exec(['true'], { timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(sandbox.exec(['true'], { env: { 'A B': 'x' } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(sandbox.exec(['true'], { cwd: '/proc/self/fd/7' })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('reports the signal that ended a command', async () => {
      expect(await sandbox.exec(['sh', '-c', 'kill -SEGV $$'])).toMatchObject({ exitCode: null, signal: 'SIGSEGV' });
    });
  });

  describe('spawn', () => {
    it('talks both ways, takes signals, and ends', async () => {
      const process = await sandbox.spawn([
        'sh',
        '-c',
        'trap "echo got it; exit 7" USR1; while read line; do echo "<$line>"; done',
      ]);
      process.stdin.write('one\n');
      const reader = process.stdout[Symbol.asyncIterator]();
      expect(String((await reader.next()).value)).toBe('<one>\n');
      process.signal('SIGUSR1');
      expect(String((await reader.next()).value)).toBe('got it\n');
      expect(await process.wait()).toMatchObject({ exitCode: 7 });
    });

    it('has a terminal with a size that changes', async () => {
      const process = await sandbox.spawn(
        ['sh', '-c', 'stty size; trap "stty size; exit" WINCH; while :; do sleep 0.05; done'],
        { pty: { columns: 101, rows: 33 } },
      );
      const output = text(process.stdout);
      setTimeout(() => process.resize({ columns: 77, rows: 22 }), 300);
      await process.wait();
      expect(await output).toBe('33 101\r\n22 77\r\n');
    });

    it('ends with what it started when it is disposed of', async () => {
      {
        await using process = await sandbox.spawn(['sh', '-c', 'sleep 888 & sleep 888']);
        expect(await process.started).toBeGreaterThan(1);
      }
      expect((await sandbox.exec(['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])).stdout).not.toContain(
        'sleep 888',
      );
    });
  });

  describe('files', () => {
    it('are written whole, read back the same, with their mode and hash', async () => {
      const bytes = randomBytes(5_000_000);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      expect(await sandbox.writeFile('deep/er/file.bin', bytes, { mode: 0o750 })).toEqual({
        sizeBytes: bytes.length,
        sha256,
      });
      expect((await sandbox.readFile('/workspace/deep/er/file.bin')).equals(bytes)).toBe(true);
      expect(await sandbox.stat('deep/er/file.bin')).toMatchObject({
        name: 'file.bin',
        type: 'file',
        sizeBytes: bytes.length,
        mode: 0o750,
      });
      await sandbox.writeFile('empty', '');
      expect((await sandbox.readFile('empty')).length).toBe(0);
    });

    it('are listed, made and removed', async () => {
      await sandbox.mkdir('tree/a/b', { recursive: true });
      await sandbox.writeFile('tree/z', 'z');
      await sandbox.exec([
        'sh',
        '-c',
        `cd tree && ln -s z link && mkfifo pipe && printf x > "$(printf 'new\\nline')" && printf x > "$(printf 'bad\\377')"`,
      ]);
      const entries = await sandbox.list('tree');
      expect(entries.map((entry) => `${entry.type} ${entry.name}`)).toEqual([
        'directory a',
        'file bad\ufffd',
        'symlink link',
        'file new\nline',
        'fifo pipe',
        'file z',
      ]);
      const bad = entries[1];
      expect(
        (await sandbox.readFile(Buffer.concat([Buffer.from('tree/'), bad?.nameBytes ?? Buffer.alloc(0)]))).toString(),
      ).toBe('x');
      await expect(sandbox.remove('tree')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await sandbox.remove('tree', { recursive: true });
      await sandbox.remove('tree', { recursive: true });
      await expect(sandbox.stat('tree')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    });

    it('that are missing, too large, no files, or not ours are typed errors', async () => {
      await expect(sandbox.readFile('nothing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      await expect(sandbox.readFile('/')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(sandbox.writeFile('/etc/passwd', 'x')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(sandbox.writeFile('/usr/x', 'x')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(sandbox.readFile('/etc/passwd', { maxBytes: 3 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      await expect(sandbox.writeFile('huge', Buffer.alloc(200 * 1_048_576))).rejects.toMatchObject({
        code: 'NO_SPACE',
      });
      await expect(sandbox.stat('huge')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      expect((await sandbox.list('.')).filter((entry) => entry.name.startsWith('.nanoclaw'))).toEqual([]);
      await expect(sandbox.readFile('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    it('cannot be used to reach the runner through a planted link', async () => {
      await sandbox.exec(['sh', '-c', 'ln -s /proc/1/mem mem; ln -s /proc/self/fd/0 in; ln -s /proc/self/environ env']);
      for (const name of ['mem', 'in', 'env']) {
        await expect(sandbox.readFile(name)).rejects.toMatchObject({ code: 'FILE_REFUSED' });
        await expect(sandbox.writeFile(`${name}/x`, 'x')).rejects.toMatchObject({
          code: expect.stringMatching(/FILE_/),
        });
      }
      expect((await sandbox.exec(['true'])).exitCode).toBe(0);
    });

    it('go in and out as directories', async () => {
      const host = await mkdtemp(join(tmpdir(), 'nanoclaw-e2e-'));
      try {
        await mkdir(join(host, 'in/sub'), { recursive: true });
        await writeFile(join(host, 'in/a.txt'), 'a');
        await writeFile(join(host, 'in/sub/b.bin'), randomBytes(100_000), { mode: 0o700 });
        await writeFile(join(host, 'in/sub/empty'), '');
        await sandbox.upload(join(host, 'in'), 'copied');
        expect(
          (await sandbox.exec(['sh', '-c', 'cd copied && find . -type f | sort && stat -c %a sub/b.bin'])).stdout,
        ).toBe('./a.txt\n./sub/b.bin\n./sub/empty\n700\n');
        await sandbox.download('copied', join(host, 'out'));
        expect(await readFile(join(host, 'out/sub/b.bin'))).toEqual(await readFile(join(host, 'in/sub/b.bin')));
        await sandbox.download('copied/a.txt', join(host, 'single'));
        expect(await readFile(join(host, 'single'), 'utf8')).toBe('a');
        await symlink('a.txt', join(host, 'in/link'));
        await sandbox.upload(join(host, 'in'), 'linked');
        await expect(sandbox.download('linked', join(host, 'refused'))).rejects.toMatchObject({ code: 'FILE_REFUSED' });
        await expect(readFile(join(host, 'refused/a.txt'))).rejects.toMatchObject({ code: 'ENOENT' });
        await sandbox.download('linked', join(host, 'skipped'), { links: 'skip' });
        expect(await readFile(join(host, 'skipped/a.txt'), 'utf8')).toBe('a');
        await expect(sandbox.upload(join(host, 'missing'), 'x')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
        await expect(sandbox.download('missing', join(host, 'x'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      } finally {
        await rm(host, { recursive: true, force: true });
      }
    });
  });

  it('forwards a port, both directions, half-closed too', async () => {
    const server = await sandbox.spawn([
      'python3',
      '-c',
      `import socket
s=socket.create_server(('127.0.0.1',8000)); print('up',flush=True)
while True:
    c,_=s.accept()
    data=b''
    while (d:=c.recv(65536)): data+=d
    c.sendall(data[::-1]); c.close()`,
    ]);
    await server.stdout[Symbol.asyncIterator]().next();
    await using forward = await sandbox.forwardPort(8000);
    const ask = async (bytes: Buffer): Promise<Buffer> => {
      const socket = connect({ port: forward.port, host: forward.host, allowHalfOpen: true });
      socket.end(bytes);
      return buffer(socket);
    };
    const sent = randomBytes(2_000_000);
    expect((await ask(sent)).equals(Buffer.from(sent).reverse())).toBe(true);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(Buffer.from(`request ${i}`))));
    expect(answers.map(String)).toEqual(Array.from({ length: 20 }, (_, i) => [...`request ${i}`].reverse().join('')));
    await using nobody = await sandbox.forwardPort(9);
    const refused = connect({ port: nobody.port, host: nobody.host });
    refused.on('error', () => undefined);
    await new Promise((resolve) => refused.on('close', resolve));
  });

  it('shows what was verified, every control with its evidence', () => {
    const { controls, product } = sandbox.attestation;
    expect(product).toBe('Docker Engine');
    expect(controls.length).toBeGreaterThan(20);
    expect(controls.filter((control) => control.outcome !== 'verified')).toEqual([]);
  });

  describe('that is gone', () => {
    it('says so on every call that waits and every later one: destroyed', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox });
      const waiting = [
        doomed.exec(['sleep', '100']),
        doomed.spawn(['sleep', '100']).then((process) => process.wait()),
        doomed.writeFile('x', new PassThrough()),
      ];
      const errors = Promise.all(
        waiting.map((call) =>
          call.then(
            () => undefined,
            (error: unknown) => error,
          ),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      await Promise.all([doomed.destroy(), doomed.destroy()]);
      for (const error of await errors)
        expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'destroyed' } });
      const later = [
        () => doomed.exec(['true']),
        () => doomed.readFile('x'),
        () => doomed.list('.'),
        () => doomed.forwardPort(80),
        () => doomed.spawn(['true']),
      ];
      for (const call of later)
        await expect(call()).rejects.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'destroyed' } });
      expect(await runtime.inspect(doomed.containerId, { signal: AbortSignal.timeout(5_000) })).toBeUndefined();
    });

    it('by its lifetime', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox, policy: { lifetime: '1s' } });
      await expect(doomed.exec(['sleep', '100'])).rejects.toMatchObject({
        code: 'SANDBOX_GONE',
        details: { reason: 'lifetime' },
      });
      await doomed.destroy();
    });

    it('by being idle, but not while something runs', async () => {
      const doomed = await createSandbox({ runtime, image: testImages.busybox, policy: { idle: '1s' } });
      expect((await doomed.exec(['sleep', '1.5'])).exitCode).toBe(0);
      const error = await doomed.gone;
      expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'lifetime' } });
      expect(error.message).toContain('idle');
      await doomed.destroy();
    });
  });

  it('uses up a command for lack of memory, says so, and lives on', async () => {
    await using small = await createSandbox({ runtime, image: testImages.python, policy: { memory: '128m' } });
    const result = await small.exec(['python3', '-c', 'x=[]\nwhile True: x.append(bytearray(1<<20))']);
    expect(result).toMatchObject({ signal: 'SIGKILL', exitCode: null, oomKilled: true, timedOut: false });
    expect(await small.exec(['echo', 'alive'])).toMatchObject({ stdout: 'alive\n', oomKilled: false });
  });

  it('aborts a start, leaving nothing', async () => {
    for (const delayMs of [0, 5, 30, 80, 150, 250]) {
      const controller = new AbortController();
      const label = { 'nanoclaw.abort': `t${delayMs}` };
      const starting = createSandbox({ runtime, image: testImages.busybox, signal: controller.signal, labels: label });
      setTimeout(() => controller.abort(), delayMs);
      await starting.then(
        (made) => made.destroy(),
        (error: unknown) => expect(error).toMatchObject({ code: 'ABORTED' }),
      );
      let left: readonly unknown[] = ['?'];
      for (let i = 0; i < 50 && left.length > 0; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        left = await runtime.list(label, { signal: AbortSignal.timeout(5_000) });
      }
      expect(left).toEqual([]);
    }
  });
});
