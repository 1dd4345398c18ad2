import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ContainerSpec,
  type ImageInfo,
  isNanoclawError,
  type SandboxRuntime,
  type StartedContainer,
} from '@nanoclaw/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../../../test/support/engine.ts';
import { startLyingEngine } from '../../../test/support/lying-engine.ts';
import { createDockerRuntime } from '../src/index.ts';
import { containerSpec, shell, testLabels } from './support/container-spec.ts';

const never = new AbortController().signal;

describeEngine('createDockerRuntime', () => {
  let runtime: SandboxRuntime;
  let image: ImageInfo;
  const run = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const labels = { ...testLabels, 'nanoclaw.sandbox': run };
  const spec = (changes: Partial<ContainerSpec> = {}) => containerSpec({ image, labels, ...changes });

  beforeAll(async () => {
    runtime = createDockerRuntime({ host: dockerHost() });
    image = await runtime.ensureImage(
      { kind: 'reference', reference: testImages.busybox, pull: 'never' },
      { signal: never, onProgress: () => undefined },
    );
  });

  afterAll(async () => {
    for (const { id } of await runtime.list(labels, { signal: never })) await runtime.destroy(id, { signal: never });
    await runtime.close();
  });

  async function output(container: StartedContainer): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of container.channel) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Runs a script to its end and answers what it wrote. */
  async function runScript(script: string, changes: Partial<ContainerSpec> = {}) {
    const container = await runtime.start(spec({ command: shell(script), ...changes }), { signal: never });
    container.channel.end();
    const stdout = await output(container);
    return { stdout, exited: await container.exited, diagnostics: container.diagnostics(), id: container.id };
  }

  describe('the channel', () => {
    test('carries bytes both ways, exactly, and ends with the container', async () => {
      const container = await runtime.start(spec(), { signal: never });
      const sent = randomBytes(3_000_000);
      const received: Buffer[] = [];
      container.channel.on('data', (chunk: Buffer) => received.push(chunk));
      const closed = new Promise((resolve) => container.channel.once('close', resolve));
      container.channel.end(sent);
      expect(await container.exited).toEqual({ kind: 'exit', exitCode: 0 });
      await closed;
      expect(Buffer.concat(received).equals(sent)).toBe(true);
    });

    test('ending it is end of input inside, while output goes on', async () => {
      const { stdout } = await runScript('cat; sleep 0.2; echo after');
      expect(stdout).toBe('after\n');
    });

    test('a reader that stops, stops the writer inside; nothing is lost', async () => {
      const container = await runtime.start(spec({ command: shell('head -c 100000000 /dev/zero') }), { signal: never });
      container.channel.pause();
      await sleep(500);
      const before = process.memoryUsage().rss;
      await sleep(500);
      expect(process.memoryUsage().rss - before).toBeLessThan(16 << 20);
      expect(container.channel.readableLength).toBeLessThan(1 << 20);
      let bytes = 0;
      for await (const chunk of container.channel) bytes += (chunk as Buffer).length;
      expect(bytes).toBe(100_000_000);
    });

    test('a writer waits for a reader inside', async () => {
      const container = await runtime.start(spec({ command: shell('sleep 1; wc -c') }), { signal: never });
      let written = 0;
      const block = Buffer.alloc(64 * 1024);
      while (container.channel.write(block)) written += block.length;
      await sleep(300);
      while (written < 64 << 20 && container.channel.write(block)) written += block.length;
      // The pipe, the socket and the stream hold a little each; far from what a writer without pause would push.
      expect(written).toBeLessThan(4 << 20);
      container.channel.end();
      expect(Number(await output(container))).toBeGreaterThan(0);
    });

    test('stderr is kept beside it, bounded and printable', async () => {
      const { stdout, diagnostics } = await runScript(
        'echo out; printf "\\033[31mred\\007\\n" >&2; head -c 100000 /dev/zero | tr "\\0" x >&2; echo last >&2',
      );
      expect(stdout).toBe('out\n');
      expect(diagnostics).toMatch(/last\n$/);
      expect(diagnostics.length).toBeLessThanOrEqual(16 * 1024);
      const short = await runScript('printf "\\033[31mred\\007" >&2');
      expect(short.diagnostics).toBe('\\x1b[31mred\\x07');
    });
  });

  describe('exited', () => {
    test.each([0, 1, 7, 125])('tells an exit with %i', async (exitCode) => {
      expect((await runScript(`exit ${exitCode}`)).exited).toEqual({ kind: 'exit', exitCode });
    });

    test('tells a signal', async () => {
      const container = await runtime.start(spec(), { signal: never });
      container.channel.resume();
      await runtime.destroy(container.id, { signal: never });
      expect(await container.exited).toEqual({ kind: 'signal', signal: 9 });
    });

    test('tells that memory ran out', async () => {
      expect((await runScript('x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done')).exited).toEqual({
        kind: 'out-of-memory',
      });
    });

    test("a child's out-of-memory of long ago is not the cause of a kill", async () => {
      const container = await runtime.start(
        spec({ command: shell('sh -c "x=aaaaaaaaaaaaaaaa; while :; do x=\\$x\\$x; done"; echo survived; cat') }),
        { signal: never },
      );
      const [first] = (await new Promise<Buffer[]>((resolve) =>
        container.channel.once('data', (chunk: Buffer) => resolve([chunk])),
      )) as [Buffer];
      expect(first.toString()).toBe('survived\n');
      container.channel.resume();
      await runtime.destroy(container.id, { signal: never });
      expect(await container.exited).toEqual({ kind: 'signal', signal: 9 });
    });
  });

  describe('what runs inside', () => {
    test('is what the spec says: user, capabilities, mounts, limits, environment', async () => {
      const { stdout } = await runScript(
        'id -u; grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; cat /proc/net/dev | tail -n +3 | cut -d: -f1; ' +
          'ulimit -n; ulimit -c; (touch /x) 2>&1; touch /tmp/a /workspace/b && echo scratch; echo true > /tmp/x; chmod 755 /tmp/x; (/tmp/x) 2>&1; cat /etc/passwd; cat /proc/1/environ | tr "\\0" "\\n"',
        { user: { uid: 23_456, gid: 23_457 } },
      );
      expect(stdout).toContain('23456\n');
      expect(stdout).toContain('CapEff:\t0000000000000000');
      expect(stdout).toContain('CapBnd:\t0000000000000000');
      expect(stdout).toContain('NoNewPrivs:\t1');
      expect(stdout).toContain('Seccomp:\t2');
      expect(stdout).toMatch(/^ *lo$/m);
      expect(stdout).toContain('256\n0\n');
      expect(stdout).toContain('/x: Read-only file system');
      expect(stdout).toContain('scratch\n');
      expect(stdout).toMatch(/Permission denied/);
      expect(stdout).toContain('sandbox:x:');
      expect(stdout).not.toContain('HOSTNAME=');
    });

    test('can not fill a scratch directory past its size or its inodes', async () => {
      const { stdout } = await runScript(
        'head -c 3000000 /dev/zero > /workspace/big; for i in $(seq 100); do touch /tmp/$i 2>/dev/null || break; done; ls /tmp | wc -l; ls -l /workspace | tail -1',
        {},
      );
      const [files] = stdout.split('\n').filter((line) => /^\d+$/.test(line));
      expect(Number(files)).toBeLessThan(64);
      expect(stdout).toContain('2097152');
    });

    test('may not write to the files that were brought in', async () => {
      const { stdout } = await runScript('echo x >> /etc/passwd; rm /etc/passwd; echo done');
      expect(stdout).toBe('done\n');
    });
  });

  describe('inspect, list and destroy', () => {
    test('find a container by id and labels in every state, and nothing afterwards', async () => {
      const own = { ...labels, 'nanoclaw.test.case': 'list' };
      const container = await runtime.start(spec({ labels: own }), { signal: never });
      container.channel.resume();
      expect(await runtime.inspect(container.id, { signal: never })).toMatchObject({
        id: container.id,
        state: 'running',
        imageDigest: image.digest,
        labels: own,
      });
      expect((await runtime.list(own, { signal: never })).map(({ id }) => id)).toEqual([container.id]);
      expect(await runtime.list({ ...own, 'nanoclaw.test.case': 'other' }, { signal: never })).toEqual([]);
      await Promise.all([1, 2, 3].map(() => runtime.destroy(container.id, { signal: never })));
      expect(await runtime.inspect(container.id, { signal: never })).toBeUndefined();
      await runtime.destroy(container.id, { signal: never });
      expect(await runtime.list(own, { signal: never })).toEqual([]);
    });

    test('destroy ends what ignores every signal, and the channel', async () => {
      const container = await runtime.start(
        spec({ command: shell('trap "" TERM INT HUP QUIT; while :; do sleep 1; done') }),
        { signal: never },
      );
      const closed = new Promise((resolve) => container.channel.once('close', resolve));
      await runtime.destroy(container.id, { signal: never });
      await closed;
      expect(await runtime.inspect(container.id, { signal: never })).toBeUndefined();
    });

    test('the engine removes a container that exits', async () => {
      const { id } = await runScript('true');
      await expect.poll(() => runtime.inspect(id, { signal: never }), { timeout: 5000 }).toBeUndefined();
    });
  });

  describe('a start that fails leaves nothing', () => {
    const cases: [string, Partial<ContainerSpec>, string, RegExp][] = [
      ['no such command', { command: ['/no/such'] }, 'RUNNER_MISSING', /\/no\/such/],
      [
        'an image that is gone',
        { image: { ...containerSpec().image, digest: `sha256:${'0'.repeat(64)}` } },
        'IMAGE_NOT_FOUND',
        /no longer has the image/,
      ],
      [
        'a mount without a source',
        { mounts: [{ source: '/no/such/source', target: '/data', readOnly: true }] },
        'FILE_NOT_FOUND',
        /\/no\/such\/source/,
      ],
      ['a profile that is none', { seccompProfile: '{' }, 'START_FAILED', /seccomp/],
      ['a name that no engine takes', { name: 'nanoclaw bad name' }, 'START_FAILED', /name/],
      ['more memory than a limit may be', { memoryBytes: 1024 }, 'START_FAILED', /memory/i],
    ];
    test.each(cases)('%s', async (_what, changes, code, words) => {
      const own = { ...labels, 'nanoclaw.test.case': 'fails' };
      const failure = await runtime
        .start(spec({ labels: own, ...changes }), { signal: never })
        .catch((error: unknown) => error);
      expect(isNanoclawError(failure)).toBe(true);
      expect(failure).toMatchObject({ code, message: expect.stringMatching(words) });
      expect(await runtime.list(own, { signal: never })).toEqual([]);
    });

    test('an isolation whose runtime is not registered', async () => {
      const strange = createDockerRuntime({ host: dockerHost(), ociRuntime: 'no-such-runtime' });
      const capabilities = await strange.capabilities({ signal: never });
      expect(capabilities.isolation['shared-kernel']).toMatchObject({
        supported: false,
        reason: expect.stringContaining('no-such-runtime'),
      });
      await expect(strange.start(spec(), { signal: never })).rejects.toMatchObject({
        code: 'CONTROL_UNSUPPORTED',
        details: { control: 'isolation' },
      });
      await strange.close();
    });

    test('a name that another container has is left to that one', async () => {
      const first = await runtime.start(spec({ name: `nanoclaw-taken-${run}` }), { signal: never });
      first.channel.resume();
      await expect(runtime.start(spec({ name: `nanoclaw-taken-${run}` }), { signal: never })).rejects.toMatchObject({
        message: expect.stringContaining('already in use'),
      });
      expect(await runtime.inspect(first.id, { signal: never })).toMatchObject({ state: 'running' });
      await runtime.destroy(first.id, { signal: never });
    });

    test('an abort at any moment', async () => {
      const own = { ...labels, 'nanoclaw.test.case': 'abort' };
      const outcomes = await Promise.all(
        Array.from({ length: 24 }, async (_, index) => {
          const abort = new AbortController();
          const starting = runtime.start(spec({ labels: own }), { signal: abort.signal });
          setTimeout(() => abort.abort(), index * 12).unref();
          try {
            const container = await starting;
            container.channel.resume();
            await runtime.destroy(container.id, { signal: never });
            return 'started';
          } catch (error) {
            return isNanoclawError(error) ? error.code : String(error);
          }
        }),
      );
      expect(outcomes.filter((outcome) => outcome !== 'started' && outcome !== 'ABORTED')).toEqual([]);
      expect(outcomes).toContain('ABORTED');
      expect(await runtime.list(own, { signal: never })).toEqual([]);
    });
  });

  describe('an engine that does something else than it was asked', () => {
    test.each([
      [
        'memory',
        (body: { HostConfig: Record<string, unknown> }) =>
          Object.assign(body.HostConfig, { Memory: 128 << 20, MemorySwap: 128 << 20 }),
      ],
      ['pids', (body: { HostConfig: Record<string, unknown> }) => delete body.HostConfig.PidsLimit],
      ['removal', (body: { HostConfig: Record<string, unknown> }) => (body.HostConfig.AutoRemove = false)],
      ['read-only-root', (body: { HostConfig: Record<string, unknown> }) => (body.HostConfig.ReadonlyRootfs = false)],
    ])('is found out: %s', async (control, change) => {
      await using liar = await startLyingEngine(dockerHost(), { create: change, hides: false });
      const lied = createDockerRuntime({ host: liar.host });
      const own = { ...labels, 'nanoclaw.test.case': `lie-${control}` };
      const failure = await lied.start(spec({ labels: own }), { signal: never }).catch((error: unknown) => error);
      await lied.close();
      expect(failure).toMatchObject({
        code: 'POLICY_NOT_ENFORCED',
        details: { differences: expect.arrayContaining([expect.objectContaining({ control })]) },
      });
      expect(await runtime.list(own, { signal: never })).toEqual([]);
    });

    test('a warning is a failure, unless its control is relaxed', async () => {
      const warnings = [
        'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
      ];
      await using liar = await startLyingEngine(dockerHost(), { warnings });
      const warned = createDockerRuntime({ host: liar.host });
      await expect(warned.start(spec(), { signal: never })).rejects.toMatchObject({
        code: 'POLICY_NOT_ENFORCED',
        details: { control: 'swap' },
      });
      const container = await warned.start(spec({ relaxed: ['swap'] }), { signal: never });
      container.channel.resume();
      await warned.destroy(container.id, { signal: never });
      await warned.close();
    });
  });

  test('capabilities tell what this engine is', async () => {
    const capabilities = await runtime.capabilities({ signal: never });
    expect(capabilities).toMatchObject({
      product: 'Docker Engine',
      sharesFiles: true,
      networks: { none: { supported: true } },
      build: { supported: true },
    });
    expect(capabilities.cpuCount).toBeGreaterThan(0);
    expect(capabilities.memoryBytes).toBeGreaterThan(1 << 28);
    expect(
      (await runtime.list({ 'nanoclaw.managed': 'true', 'nanoclaw.probe': 'true' }, { signal: never })).length,
    ).toBe(0);
  });

  test('close is idempotent, and a closed runtime says so', async () => {
    const other = createDockerRuntime({ host: dockerHost() });
    await other.list(labels, { signal: never });
    await Promise.all([other.close(), other.close()]);
    await expect(other.list(labels, { signal: never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('an engine that is not there', () => {
  test('a socket that does not exist', async () => {
    const runtime = createDockerRuntime({ host: 'unix:///no/such.sock' });
    await expect(runtime.capabilities({ signal: never })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/the socket does not exist.*Start Docker/s),
    });
    await runtime.close();
  });

  test('a file that is no socket, and one that nobody listens on', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nanoclaw-'));
    await writeFile(join(directory, 'file'), '');
    await symlink('/nowhere', join(directory, 'dangling'));
    for (const name of ['file', 'dangling']) {
      const runtime = createDockerRuntime({ host: `unix://${directory}/${name}` });
      await expect(runtime.capabilities({ signal: never })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      await runtime.close();
    }
    await rm(directory, { recursive: true });
  });

  test('a port that nobody listens on', async () => {
    const runtime = createDockerRuntime({ host: 'tcp://127.0.0.1:1' });
    await expect(runtime.list({}, { signal: never })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('Nothing listens'),
    });
    await runtime.close();
  });
});
