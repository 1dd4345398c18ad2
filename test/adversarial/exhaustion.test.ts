import { createHash, randomBytes } from 'node:crypto';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecOptions, PolicyInput, Sandbox } from '@nanoclaw/core';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost } from '../support/engine.ts';
import {
  assertUsable,
  expectRefused,
  failure,
  isLong,
  Lab,
  payloads,
  pids,
  runPayload,
  uncaughtDuring,
} from './support/lab.ts';
import { kernelMemory, residentGrowth } from './support/memory.ts';
import { killFromOutside } from './support/unhardened.ts';

const mebibyte = 1_048_576;

describeEngine('a sandbox that takes all it can get', () => {
  const lab = new Lab();
  let sandbox: Sandbox;

  // What is common to every case: the next job, in a fresh sandbox, works, and as many containers are left as there were.
  beforeEach(async () => {
    sandbox = await lab.sandbox();
    expect(await sandbox.exec(['python3', '-c', 'print(6 * 7)'])).toMatchObject({ exitCode: 0, stdout: '42\n' });
  });

  afterEach(async () => {
    await sandbox.destroy().catch(async (error: unknown) => {
      await killFromOutside(dockerHost(), sandbox.containerId);
      throw error;
    });
    expect(await lab.containers()).toBe(0);
  });

  afterAll(async () => {
    await lab.assertRecovered();
    await lab[Symbol.asyncDispose]();
  });

  /** The same sandbox, but with a policy of its own. */
  async function withPolicy(policy: PolicyInput): Promise<Sandbox> {
    await sandbox.destroy();
    sandbox = await lab.sandbox(policy);
    return sandbox;
  }

  const exhaust = (args: readonly string[], options: ExecOptions = {}) =>
    sandbox.exec(['python3', '-B', `${payloads}/exhaust.py`, ...args], options);
  const exhausted = <T>(...args: readonly string[]): Promise<T> => runPayload<T>(sandbox, 'exhaust', ...args);

  /** Starts one in the background and waits for its first line. */
  async function start(...args: readonly string[]) {
    const process = await sandbox.spawn(['python3', '-B', `${payloads}/exhaust.py`, ...args]);
    const first = await new Promise<string>((resolve) =>
      process.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    return { process, first };
  }

  describe('processes', () => {
    it('52: EAGAIN at the limit, and the runner goes on while it is met', async () => {
      const { process, first } = await start('processes', '60');
      const { made, stopped } = JSON.parse(first) as { made: number; stopped: string };
      expect(stopped).toBe('EAGAIN');
      // 256 in all: the payload itself, the runner and its threads are among them.
      expect(made).toBeGreaterThan(220);
      expect(made).toBeLessThan(256);
      // Files don't need a process, and a command that can't be started says so.
      await sandbox.writeFile('/workspace/x', 'x');
      expect((await sandbox.readFile('/workspace/x')).toString()).toBe('x');
      const outcome = await sandbox.exec(['true']).then(
        () => 'ran',
        (error: { code: string }) => error.code,
      );
      expect(['ran', 'LIMIT_EXCEEDED']).toContain(outcome);
      process.kill();
      await process.wait();
      await assertUsable(sandbox);
    });

    it.each([
      { name: 'bash', argv: ['bash', '-c', ':(){ :|:& };:; sleep 60'] },
      { name: 'bash, ignoring TERM', argv: ['bash', '-c', 'trap "" TERM; b(){ b|b& b; }; b'] },
      { name: 'python', argv: ['python3', '-B', `${payloads}/exhaust.py`, 'bomb'] },
    ])('52: a fork bomb in $name is answered beside, and dead once its time is up', async ({ argv }) => {
      const bomb = sandbox.exec(argv, { timeoutMs: 2_500 });
      await delay(1_200);
      expect((await sandbox.stat('/workspace')).type).toBe('directory');
      expect(await bomb).toMatchObject({ timedOut: true });
      // How soon is a matter of the machine's load (0.2 s after the deadline on an idle one): no time is asserted.
      expect(await pids(sandbox)).toEqual([1]);
      await assertUsable(sandbox);
    });

    it('52: a fork bomb beside another command dies alone', async () => {
      await using neighbour = await sandbox.spawn(['cat']);
      const bomb = await exhaust(['bomb'], { timeoutMs: 1_500 });
      expect(bomb.timedOut).toBe(true);
      neighbour.stdin.end('still here');
      const chunks: Buffer[] = [];
      for await (const chunk of neighbour.stdout) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString()).toBe('still here');
      await assertUsable(sandbox);
    });

    it('66: a daemon is dead once its command ran out of time', async () => {
      const result = await exhaust(['daemon', '30'], { timeoutMs: 1_500 });
      expect(result).toMatchObject({ timedOut: true, stdout: 'detached\n' });
      expect(await pids(sandbox)).toEqual([1]);
      const before = await sandbox.readFile('/workspace/alive');
      await delay(300);
      expect((await sandbox.readFile('/workspace/alive')).equals(before)).toBe(true);
    });

    it('66: a daemon outlives a command that ended by itself, and an abort of another one kills it', async () => {
      expect(await exhaust(['daemon'])).toMatchObject({ exitCode: 0, timedOut: false });
      const daemon = Number((await sandbox.readFile('/workspace/daemon')).toString());
      expect(await pids(sandbox)).toEqual([1, daemon]);
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 200);
      await expectRefused(sandbox.exec(['sleep', '30'], { signal: abort.signal }), 'ABORTED');
      await expect.poll(() => pids(sandbox)).toEqual([1]);
    });

    it('66: nothing is left of a daemon once the sandbox is destroyed', async () => {
      await exhaust(['daemon']);
      const name = (await sandbox.exec(['readlink', '/proc/self/ns/pid'])).stdout.trim();
      expect(await processesIn(name)).toBeGreaterThan(0);
      await sandbox.destroy();
      expect(await processesIn(name)).toBe(0);
    });

    it('67: orphans are reaped', async () => {
      const count = isLong ? 10_000 : 3_000;
      expect(await exhausted('orphans', String(count))).toEqual({ made: count });
      await expect.poll(() => pids(sandbox), { timeout: 3_000 }).toEqual([1]);
    });

    it('83: one sandbox at its limit takes nothing from another', async () => {
      const { process, first } = await start('processes', '60');
      expect(JSON.parse(first)).toMatchObject({ stopped: 'EAGAIN' });
      await using neighbour = await lab.sandbox();
      const { stdout } = await neighbour.exec(['python3', '-B', `${payloads}/exhaust.py`, 'processes']);
      expect(JSON.parse(stdout)).toMatchObject({ stopped: 'EAGAIN' });
      expect((JSON.parse(stdout) as { made: number }).made).toBeGreaterThan(220);
      process.kill();
      await process.wait();
    });
  });

  describe('memory', () => {
    it('54: a command that takes too much is killed, and that is said; the sandbox lives', async () => {
      const result = await exhaust(['memory']);
      expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', oomKilled: true, timedOut: false });
      await assertUsable(sandbox);
      expect((await sandbox.exec(['true'])).oomKilled).toBe(false);
    });

    it('56: the death of a child is said though its parent ends well', async () => {
      const script = `python3 -B ${payloads}/exhaust.py memory; echo "child: $?"; exit 3`;
      const result = await sandbox.exec(['bash', '-c', script]);
      expect(result).toMatchObject({ exitCode: 3, signal: null, oomKilled: true });
      expect(result.stdout).toContain('child: 137');
      await assertUsable(sandbox);
    });

    it('55: where the kernel takes PID 1, the sandbox is gone for lack of memory', async () => {
      const outcome = await exhaust(['many_hogs'], { timeoutMs: 8_000 }).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      );
      if ('error' in outcome) {
        expect(outcome.error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'out-of-memory' } });
        expect(await failure(sandbox.exec(['true']))).toMatchObject({
          code: 'SANDBOX_GONE',
          details: { reason: 'out-of-memory' },
        });
      } else {
        // It may as well take only the hogs.
        expect(outcome.result.oomKilled).toBe(true);
        await assertUsable(sandbox);
      }
    });

    it('54: what writeFile brings counts too, and ends in NO_SPACE', async () => {
      const large = Buffer.alloc(mebibyte);
      async function* endless() {
        for (let sent = 0; sent < 1_024; sent += 1) yield large;
      }
      await expectRefused(sandbox.writeFile('/tmp/large', endless()), 'NO_SPACE');
      expect((await sandbox.list('/tmp')).map((file) => file.name)).toEqual([]);
      await assertUsable(sandbox);
    });

    it('60: shared memory that nobody owns any more does not wedge the sandbox', async () => {
      // System V segments live until they are removed, whoever made them; they are charged to the sandbox.
      const made = await exhaust(['leave_shm', '440']);
      expect(made.signal).toBeNull();
      for (let round = 0; round < 2; round += 1) await exhaust(['leave_shm', '40']).catch(() => undefined);
      const after = await sandbox.exec(['python3', '-c', 'x = bytearray(100 << 20); print(len(x))']);
      expect(after).toMatchObject({ exitCode: 0, stdout: '104857600\n' });
    });

    it.each([
      'pipes',
      'sockets',
      'inotify',
      'epoll',
      'locks',
      'dentries',
      'memfd',
      'signals',
      'timers',
      'shm',
      'mqueue',
      'messages',
      'semaphores',
    ])('60 kernel-mem: %s are charged or limited, and given back', async (kind) => {
      const before = await kernelMemory();
      const result = await exhaust(['kernel', kind, '2'], { timeoutMs: 20_000 });
      const during = await kernelMemory();
      // All that a sandbox can make the kernel hold is within its memory, plus what the kernel holds for other reasons.
      expect(during - before).toBeLessThan(512 + 64);
      if (result.exitCode === 0) {
        const { ends } = JSON.parse(result.stdout) as { ends: string[] };
        // Refused, or killed for lack of memory. Names that were looked up can be forgotten again, and locks take ever longer.
        expect(
          ends.filter(
            (end) => !/^(EMFILE|ENFILE|ENOMEM|ENOSPC|EAGAIN|ENOBUFS|ENOLCK|EPERM|EACCES|SIGKILL|time)$/.test(end),
          ),
        ).toEqual([]);
        if (kind !== 'dentries' && kind !== 'locks') expect(ends).not.toEqual(['time']);
      } else expect(result.oomKilled).toBe(true);
      await sandbox.destroy();
      await expect
        .poll(async () => (await kernelMemory()) - before, { timeout: 10_000, interval: 250 })
        .toBeLessThan(16);
    });
  });

  describe('scratch', () => {
    it.each([
      { path: '/workspace', bytes: 128 * mebibyte },
      { path: '/tmp', bytes: 64 * mebibyte },
      { path: '/dev/shm', bytes: 8 * mebibyte },
    ])('a full $path ends in ENOSPC, and commands still start', async ({ path, bytes }) => {
      const { written, stopped } = await exhausted<{ written: number; stopped: string }>('fill', path);
      expect(stopped).toBe('ENOSPC');
      expect(written).toBeLessThanOrEqual(bytes);
      expect(written).toBeGreaterThan(bytes * 0.95);
      expect(await sandbox.exec(['python3', '-c', 'print(1)'])).toMatchObject({
        exitCode: 0,
        stdout: '1\n',
        oomKilled: false,
      });
      if (path !== '/dev/shm')
        await expectRefused(sandbox.writeFile(`${path}/more`, Buffer.alloc(mebibyte)), 'NO_SPACE');
      expect((await sandbox.exec(['rm', `${path}/fill`])).exitCode).toBe(0);
      await assertUsable(sandbox);
    });

    it('59: all of it full at once leaves memory to work in', async () => {
      for (const path of ['/workspace', '/tmp', '/dev/shm']) await exhausted('fill', path);
      const result = await sandbox.exec(['python3', '-c', 'x = bytearray(60 << 20); print(len(x))']);
      expect(result).toMatchObject({ exitCode: 0, stdout: '62914560\n', oomKilled: false });
    });

    it.each([
      { path: '/workspace', most: 16_384 },
      { path: '/tmp', most: 8_192 },
      { path: '/dev/shm', most: 1_000_000 },
    ])('58 inode-fill: $path takes no more files than it may', async ({ path, most }) => {
      const { count, stopped } = await exhausted<{ count: number; stopped: string }>('inodes', path);
      expect(stopped).toBe('ENOSPC');
      expect(count).toBeLessThanOrEqual(most);
      await sandbox.remove(`${path}/inodes`, { recursive: true });
      await assertUsable(sandbox);
    });

    it('61 fd-exhaust: EMFILE at the limit, and the runner keeps its own', async () => {
      const { process, first } = await start('files');
      expect(JSON.parse(first)).toEqual({ open: 1_024, stopped: 'EMFILE' });
      await assertUsable(sandbox, 2);
      process.stdin.end();
      await process.wait();
    });
  });

  describe('time', () => {
    it.each([
      { cpus: 1, count: 4 },
      { cpus: 0.5, count: 2 },
    ])('62 cpu-spin: $count spinning processes get no more than $cpus CPUs', async ({ cpus, count }) => {
      await withPolicy({ cpus });
      const { cpu, wall } = await exhausted<{ cpu: number; wall: number }>('spin', String(count), '3');
      // What they used by the kernel's own account, with one period of the quota and what Python needs to start on top.
      expect(cpu).toBeLessThan(cpus * wall * 1.1 + 0.2);
      expect(cpu).toBeGreaterThan(0.2);
    });

    it('64 busy-timeout: spinning does not outlive the deadline', async () => {
      const began = performance.now();
      const result = await sandbox.exec(
        [
          'python3',
          '-c',
          'import threading\nfor _ in range(8): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()',
        ],
        { timeoutMs: 1_000 },
      );
      expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL', exitCode: null });
      expect(performance.now() - began).toBeLessThan(2_500);
      await assertUsable(sandbox);
    });

    it('65 ignore-term: KILL comes after the grace', async () => {
      const began = performance.now();
      const result = await exhaust(['stubborn'], { timeoutMs: 1_000, killGraceMs: 700 });
      const tookMs = performance.now() - began;
      expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL', exitCode: null, stdout: 'deaf\n' });
      expect(tookMs).toBeGreaterThan(1_690);
      expect(tookMs).toBeLessThan(20_000);
      await assertUsable(sandbox);
    });

    it('65: who listens may end in his own way', async () => {
      const result = await exhaust(['polite'], { timeoutMs: 1_000, killGraceMs: 5_000 });
      expect(result).toMatchObject({ timedOut: true, exitCode: 5, signal: null, stdout: 'ready\nasked\n' });
    });

    it('the lifetime ends a sandbox that spins', async () => {
      await withPolicy({ lifetime: '2s', execTimeout: '2s' });
      const busy = sandbox.spawn(['python3', '-c', 'while True: pass']).then((process) => process.wait());
      expect(await failure(busy)).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'lifetime' } });
    });
  });

  describe('output and input', () => {
    it('69 flood: 1 GB is read to its end, and kept only as far as asked', async () => {
      await withPolicy({ execTimeout: '3m' });
      let result: Awaited<ReturnType<typeof exhaust>> | undefined;
      // What this process grows by once, whatever it does.
      await exhaust(['flood', '256'], { maxOutputBytes: 2 * mebibyte });
      const growth = await residentGrowth(async () => {
        result = await exhaust(['flood', '1024'], { maxOutputBytes: 2 * mebibyte });
      });
      expect(result).toMatchObject({ exitCode: 0, truncated: true, timedOut: false });
      expect(result?.stdout).toBe('f'.repeat(2 * mebibyte));
      expect(result?.stderr).toHaveLength(2 * mebibyte);
      // What is kept is there as bytes and as text.
      expect(growth).toBeLessThan(2 * 2 * 2 + 16);
    }, 200_000);

    it('69: 1 GB streams through to a sink', async () => {
      await withPolicy({ execTimeout: '3m' });
      let bytes = 0;
      const sink = () =>
        new Writable({
          write(chunk: Buffer, _encoding, callback) {
            bytes += chunk.length;
            callback();
          },
        });
      const growth = await residentGrowth(async () => {
        const result = await exhaust(['flood', '1024'], { stdout: sink(), stderr: sink() });
        expect(result).toMatchObject({ exitCode: 0, truncated: false });
      });
      expect(bytes).toBe(1_024 * mebibyte);
      expect(growth).toBeLessThan(24);
    }, 200_000);

    it('70 slow-reader: what nobody reads waits inside, and nothing of it is lost', async () => {
      const script =
        'import os, hashlib\nh = hashlib.sha256()\nfor i in range(1024):\n  b = (i % 251).to_bytes(1, "big") * 65536\n  h.update(b); os.write(1, b)\nos.write(2, h.hexdigest().encode())';
      const process = await sandbox.spawn(['python3', '-c', script]);
      const { stdout, stderr } = process;
      const growth = await residentGrowth(() => delay(isLong ? 10_000 : 3_000));
      expect(growth).toBeLessThan(16);
      // Meanwhile others are served.
      expect((await sandbox.exec(['echo', 'served'])).stdout).toBe('served\n');
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of stdout) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
      const said: Buffer[] = [];
      for await (const chunk of stderr) said.push(chunk as Buffer);
      expect(bytes).toBe(64 * mebibyte);
      expect(hash.digest('hex')).toBe(Buffer.concat(said).toString());
      expect((await process.wait()).exitCode).toBe(0);
    });

    it('a sandbox that ends while its output is read raises nothing that nobody catches', async () => {
      const uncaught = await uncaughtDuring(async () => {
        const process = await sandbox.spawn(['sh', '-c', 'echo ready; sleep 30']);
        await new Promise((resolve) => process.stdout.once('data', resolve));
        void process.stderr;
        // The payload itself may do this to whoever listens to it.
        expect((await failure(sandbox.exec(['sh', '-c', 'kill -TERM 1; sleep 5']))).code).toBe('SANDBOX_GONE');
        expect((await failure(process.wait())).code).toBe('SANDBOX_GONE');
      });
      expect(uncaught).toEqual([]);
    });

    it('70: what a command wrote is still there when it is looked at after its end', async () => {
      const process = await sandbox.spawn(['sh', '-c', 'printf out; printf err >&2']);
      await delay(500);
      const text = async (stream: Readable): Promise<string> => {
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks).toString();
      };
      expect(await Promise.all([text(process.stdout), text(process.stderr)])).toEqual(['out', 'err']);
    });

    it('71 tiny-writes: a million of them arrive in order', async () => {
      const count = isLong ? 1_000_000 : 300_000;
      const { stdout, exitCode } = await exhaust(['tiny', String(count)], { timeoutMs: 60_000 });
      expect(exitCode).toBe(0);
      expect(stdout).toHaveLength(count);
      expect(stdout === '0123456789'.repeat(count / 10)).toBe(true);
    });

    it('72 long-line: 100 MB without an end', async () => {
      const script = 'import os\nfor _ in range(1600): os.write(1, b"l" * 65536)';
      const { stdout, truncated } = await sandbox.exec(['python3', '-c', script], {
        maxOutputBytes: 128 * mebibyte,
        encoding: 'buffer',
      });
      expect(truncated).toBe(false);
      expect(stdout).toHaveLength(1_600 * 65_536);
      expect(stdout.every((byte) => byte === 108)).toBe(true);
    });

    it('73 stdin-unread: what nobody reads is not sent for, and nobody waits', async () => {
      let taken = 0;
      const block = Buffer.alloc(65_536, 'i');
      async function* input() {
        for (; taken < 100 * mebibyte; taken += block.length) yield block;
      }
      let result: Awaited<ReturnType<typeof exhaust>> | undefined;
      const growth = await residentGrowth(async () => {
        result = await sandbox.exec(['sh', '-c', 'sleep 1; echo done'], { input: Readable.from(input()) });
      });
      expect(result).toMatchObject({ exitCode: 0, stdout: 'done\n' });
      // A window, a pipe, and what a side may widen windows by.
      expect(taken).toBeLessThan(10 * mebibyte);
      expect(growth).toBeLessThan(16);
      const whole = await sandbox.exec(['sh', '-c', 'exec true'], { input: Buffer.alloc(100 * mebibyte) });
      expect(whole.exitCode).toBe(0);
      await assertUsable(sandbox);
    });

    it('73: 100 MB of input arrive whole where they are read', async () => {
      const input = randomBytes(100 * mebibyte);
      const { stdout } = await sandbox.exec(['sha256sum'], { input });
      expect(stdout.split(' ')[0]).toBe(createHash('sha256').update(input).digest('hex'));
    });

    it.each([
      {
        name: 'invalid UTF-8',
        bytes: Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xa0, 0xa1, 0xe2, 0x82, 0xf0, 0x9f, 0x98, 0x00, 0x80]),
      },
      { name: 'a character that frames cut in two', bytes: Buffer.from(`x${'\u{1F600}'.repeat(40_000)}`) },
      { name: 'every byte', bytes: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) },
      { name: 'terminal sequences', bytes: Buffer.from('\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31m\x9b6n\x1b]0;title\x07') },
      { name: 'random bytes', bytes: randomBytes(300_000) },
      { name: 'nothing', bytes: Buffer.alloc(0) },
      { name: 'NULs', bytes: Buffer.alloc(70_000) },
    ])('75, 76: $name arrives byte for byte', async ({ bytes }) => {
      const both = ['sh', '-c', 'tee /dev/stderr'];
      const { stdout, stderr } = await sandbox.exec(both, { input: bytes, encoding: 'buffer' });
      expect(stdout.equals(bytes)).toBe(true);
      expect(stderr.equals(bytes)).toBe(true);
      const text = await sandbox.exec(['cat'], { input: bytes });
      expect(text.stdout).toBe(bytes.toString('utf8'));
    });

    it.each([
      { name: 'an argument of 131,072 bytes', argv: ['true', 'a'.repeat(131_072)], options: {} },
      {
        name: '3 MB of arguments',
        argv: ['true', ...Array.from({ length: 3_000 }, () => 'a'.repeat(1_000))],
        options: {},
      },
      { name: '900 KB of arguments in one', argv: ['true', 'a'.repeat(900_000)], options: {} },
      { name: 'a path too long', argv: [`/${'a/'.repeat(3_000)}`], options: {} },
    ])('78 huge-argv: $name is LIMIT_EXCEEDED', async ({ argv, options }) => {
      await expectRefused(sandbox.exec(argv, options), 'LIMIT_EXCEEDED');
      await assertUsable(sandbox);
    });

    it('78: an environment too large is refused, and the largest allowed one arrives', async () => {
      const huge = { HUGE: 'e'.repeat(3_000_000) };
      await expectRefused(sandbox.exec(['true'], { env: huge }), 'INVALID_ARGUMENT', 'LIMIT_EXCEEDED');
      const env = { LARGE: 'e'.repeat(120_000) };
      const { stdout } = await sandbox.exec(['sh', '-c', 'printf %s "$LARGE" | wc -c'], { env });
      expect(stdout.trim()).toBe('120000');
    });

    it('78: many arguments within the limits arrive whole', async () => {
      const values = Array.from({ length: 900 }, (_, index) => String(index).repeat(200));
      const { stdout } = await sandbox.exec(['sh', '-c', 'printf "%s\\n" "$@" | sha256sum', 'sh', ...values]);
      const expected = createHash('sha256')
        .update(`${values.join('\n')}\n`)
        .digest('hex');
      expect(stdout.split(' ')[0]).toBe(expected);
    });
  });

  describe('files', () => {
    it('79 odd-names: are listed, read and copied as bytes', async () => {
      await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'names', '/workspace/names']);
      const files = await sandbox.list('/workspace/names');
      const { stdout } = await sandbox.exec([
        'python3',
        '-c',
        'import os, sys\nfor n in sorted(os.listdir(b"/workspace/names")): sys.stdout.buffer.write(n.hex().encode() + b" " + open(b"/workspace/names/" + n).read().encode() + b"\\n")',
      ]);
      const expected = stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]);
      expect(files.length).toBeGreaterThan(30);
      expect(files.map((file) => file.nameBytes.toString('hex'))).toEqual(expected.map(([name]) => name));
      for (const [name, content] of expected) {
        const path = Buffer.concat([Buffer.from('/workspace/names/'), Buffer.from(name, 'hex')]);
        expect((await sandbox.readFile(path)).toString()).toBe(content);
        expect((await sandbox.stat(path)).sizeBytes).toBe(content.length);
      }
      const target = join(await lab.directory(), 'names');
      const outcome = await sandbox.download('/workspace/names', target).then(
        () => 'copied',
        (error: { code: string }) => error.code,
      );
      // Names that this host can't have as text may be refused, as a whole; what is copied is copied right.
      if (outcome === 'copied') {
        const copied = await readdir(target, { encoding: 'buffer' });
        expect(copied.map((name) => name.toString('hex')).sort()).toEqual(expected.map(([name]) => name).sort());
      } else {
        expect(outcome).toBe('FILE_REFUSED');
        await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' });
      }
      await sandbox.remove('/workspace/names', { recursive: true });
      await assertUsable(sandbox);
    });

    it.each([
      {
        name: 'a name of 256 bytes',
        path: `/workspace/${'n'.repeat(256)}`,
        codes: ['LIMIT_EXCEEDED', 'INVALID_ARGUMENT'] as const,
      },
      {
        name: 'a path of 4,097 bytes',
        path: `/workspace/${'d/'.repeat(2_043)}`,
        codes: ['LIMIT_EXCEEDED', 'INVALID_ARGUMENT'] as const,
      },
      { name: 'a NUL', path: '/workspace/a\0b', codes: ['INVALID_ARGUMENT'] as const },
      { name: 'nothing', path: '', codes: ['INVALID_ARGUMENT'] as const },
    ])('79: $name is refused by every call', async ({ path, codes }) => {
      await expectRefused(sandbox.writeFile(path, 'x'), ...codes);
      await expectRefused(sandbox.readFile(path), ...codes, 'FILE_NOT_FOUND');
      await expectRefused(sandbox.stat(path), ...codes, 'FILE_NOT_FOUND');
      await assertUsable(sandbox);
    });

    it('79: a command and its arguments are no options', async () => {
      await sandbox.writeFile('-rf', 'here');
      expect((await sandbox.readFile('/workspace/-rf')).toString()).toBe('here');
      expect((await sandbox.readFile('-rf')).toString()).toBe('here');
      const { stdout } = await sandbox.exec(['printf', '%s|', '-rf', '$(id)', '`id`', '; id', 'a\nb', '\u202e']);
      expect(stdout).toBe('-rf|$(id)|`id`|; id|a\nb|\u202e|');
      await sandbox.remove('-rf');
    });

    it.each(['fifo', 'loop'])(
      '80: a refusal of a %s in the middle of a copy raises nothing that nobody catches',
      async (kind) => {
        await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'odd', '/workspace/odd']);
        for (const name of ['a', 'b', 'y', 'z'])
          await sandbox.writeFile(`/workspace/odd/${kind}/${name}`, randomBytes(3_000_000));
        const host = await lab.directory();
        const uncaught = await uncaughtDuring(async () => {
          for (let round = 0; round < 8; round += 1) {
            await expectRefused(sandbox.download(`/workspace/odd/${kind}`, join(host, String(round))), 'FILE_REFUSED');
            await expectRefused(
              sandbox.download(`/workspace/odd/${kind}`, join(host, String(round)), { maxBytes: 1_000_000 }),
              'FILE_REFUSED',
              'LIMIT_EXCEEDED',
            );
          }
          const copying = failure(sandbox.download(`/workspace/odd/${kind}`, join(host, 'killed'), { links: 'skip' }));
          await sandbox.exec(['sh', '-c', 'kill -TERM 1']).catch(() => undefined);
          expect(['SANDBOX_GONE', 'FILE_REFUSED']).toContain((await copying).code);
        });
        expect(uncaught).toEqual([]);
        expect(await readdir(host)).toEqual([]);
      },
    );

    it.each(['fifo', 'socket', 'loop'])(
      '80 odd-outputs: a %s is refused, and nothing is left on the host',
      async (kind) => {
        await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'odd', '/workspace/odd']);
        await sandbox.writeFile(`/workspace/odd/${kind}/a`, randomBytes(500_000));
        await sandbox.writeFile(`/workspace/odd/${kind}/z`, randomBytes(500_000));
        const target = join(await lab.directory(), 'odd');
        const error = await expectRefused(sandbox.download(`/workspace/odd/${kind}`, target), 'FILE_REFUSED');
        expect(error.message).toMatch(kind === 'loop' ? /self/ : /\b[fs]\b/);
        await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' });
        await assertUsable(sandbox);
      },
    );

    it('80: a sparse file of 1 TB is cut off at the cap, by what was read', async () => {
      await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'odd', '/workspace/odd']);
      expect((await sandbox.stat('/workspace/odd/sparse/s')).sizeBytes).toBe(2 ** 40);
      const host = await lab.directory();
      const growth = await residentGrowth(async () => {
        await expectRefused(
          sandbox.download('/workspace/odd/sparse', join(host, 'd'), { maxBytes: 8 * mebibyte }),
          'LIMIT_EXCEEDED',
        );
        await expectRefused(
          sandbox.download('/workspace/odd/sparse/s', join(host, 'f'), { maxBytes: 8 * mebibyte }),
          'LIMIT_EXCEEDED',
        );
        await expectRefused(sandbox.readFile('/workspace/odd/sparse/s', { maxBytes: 8 * mebibyte }), 'LIMIT_EXCEEDED');
      });
      expect(growth).toBeLessThan(40);
      expect(await readdir(host)).toEqual([]);
      await assertUsable(sandbox);
    });

    it('80: more files than asked for are refused, and as many as there are can be had', async () => {
      const count = isLong ? 100_000 : 12_000;
      if (isLong)
        await withPolicy({
          memory: '1g',
          scratch: [
            { path: '/workspace', size: '128m', inodes: 120_000 },
            { path: '/tmp', size: '16m' },
          ],
        });
      await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'many', '/workspace/many', String(count)]);
      const host = await lab.directory();
      await expectRefused(
        sandbox.download('/workspace/many', join(host, 'few'), { maxFiles: 1_000 }),
        'LIMIT_EXCEEDED',
      );
      expect(await readdir(host)).toEqual([]);
      await expectRefused(sandbox.list('/workspace/many/000', { maxEntries: 999 }), 'LIMIT_EXCEEDED');
      expect(await sandbox.list('/workspace/many/000')).toHaveLength(1_000);
      const { files } = await sandbox.download('/workspace/many', join(host, 'all'), { maxFiles: 2 * count });
      expect(files).toBe(count + count / 1_000);
      expect(await readdir(join(host, 'all', '011'))).toHaveLength(1_000);
      await assertUsable(sandbox);
    });

    it('80: modes do not come along: nothing is executable by others or setuid, nor writable by them', async () => {
      await sandbox.exec([
        'sh',
        '-c',
        'mkdir /workspace/modes; cd /workspace/modes; echo x > suid; chmod 6777 suid; echo y > open; chmod 666 open; mkdir -m 7777 dir; echo z > dir/z',
      ]);
      const target = join(await lab.directory(), 'modes');
      await sandbox.download('/workspace/modes', target);
      expect((await stat(join(target, 'suid'))).mode & 0o7022).toBe(0);
      expect((await stat(join(target, 'open'))).mode & 0o7022).toBe(0);
      expect((await stat(join(target, 'dir'))).mode & 0o7022).toBe(0);
      expect(await readFile(join(target, 'dir', 'z'), 'utf8')).toBe('z\n');
    });
  });

  describe('82 signals', () => {
    it.each([
      'SIGSEGV',
      'SIGABRT',
      'SIGXFSZ',
      'SIGXCPU',
      'SIGILL',
      'SIGBUS',
      'SIGFPE',
      'SIGQUIT',
      'SIGTERM',
      'SIGKILL',
      'SIGSYS',
      'SIGTRAP',
    ])('%s is reported, and leaves no core', async (signal) => {
      const result = await exhaust(['signals', signal]);
      expect(result).toMatchObject({ exitCode: null, signal, timedOut: false, oomKilled: false });
      const { stdout } = await sandbox.exec(['sh', '-c', 'ls -A /tmp /workspace | grep core; ulimit -c; ulimit -Hc']);
      expect(stdout).toBe('0\n0\n');
    });

    it('a stopped command is ended by its deadline all the same', async () => {
      const result = await sandbox.exec(['sh', '-c', 'kill -STOP $$'], { timeoutMs: 700 });
      expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL' });
      await assertUsable(sandbox);
    });
  });
});

/** How many processes of this machine are in a pid namespace; the engine's host is taken to be this one. */
async function processesIn(namespace: string): Promise<number> {
  const { readlink } = await import('node:fs/promises');
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(names.map((name) => readlink(`/proc/${name}/ns/pid`).catch(() => '')));
  return found.filter((name) => name === namespace).length;
}
