import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

describeEngine('commands in a sandbox', () => {
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
      const resolve =
        'import socket; print(socket.gethostbyname("localhost"), socket.gethostbyname(socket.gethostname()))';
      expect((await sandbox.exec(['python3', '-c', resolve])).stdout).toBe('127.0.0.1 127.0.0.1\n');
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
});
