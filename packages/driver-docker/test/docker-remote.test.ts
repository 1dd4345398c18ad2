import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerSpec, ImageInfo, SandboxRuntime, StartedContainer } from '@nanoclaw/core';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeEngine, testImages } from '../../../test/support/engine.ts';
import { loadTestImages, startDockerd, type ThrowAwayEngine } from '../../../test/support/throw-away-engine.ts';
import { toVolumePlans } from '../src/docker-volumes.ts';
import { createDockerRuntime } from '../src/index.ts';
import { containerSpec, shell, textFile } from './support/container-spec.ts';

const never = new AbortController().signal;

async function output(container: StartedContainer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of container.channel) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

describeEngine('an engine that does not see our files', () => {
  let engine: ThrowAwayEngine;
  let docker: Docker;
  let runtime: SandboxRuntime;
  let image: ImageInfo;
  let directory: string;
  let runner: ContainerSpec['files'][number];

  beforeAll(async () => {
    engine = await startDockerd({ ownMountNamespace: true });
    await loadTestImages(engine.host);
    docker = new Docker({ socketPath: engine.host.replace('unix://', '') });
    runtime = createDockerRuntime({ host: engine.host });
    image = await runtime.ensureImage(
      { kind: 'reference', reference: testImages.busybox, pull: 'never' },
      { signal: never, onProgress: () => undefined },
    );
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-remote-'));
    const script = Buffer.from(`#!/bin/sh\ncat /etc/passwd /etc/motd\n# ${'x'.repeat(100_000)}\n`);
    const path = join(directory, 'runner');
    await writeFile(path, script);
    await chmod(path, 0o755);
    runner = {
      target: '/nanoclaw/runner',
      mode: 0o755,
      content: { path },
      sha256: createHash('sha256').update(script).digest('hex'),
    };
  });
  afterAll(async () => {
    await runtime?.close();
    await engine?.stop();
    if (directory !== undefined) await rm(directory, { recursive: true });
  });

  const spec = (id: string, changes: Partial<ContainerSpec> = {}) =>
    containerSpec({
      image,
      command: ['/nanoclaw/runner'],
      files: [runner, textFile('/etc/passwd', `passwd ${id}\n`), textFile('/etc/motd', `motd ${id}\n`)],
      ...changes,
    });
  const volumes = async () =>
    (await docker.listVolumes({ filters: { label: ['nanoclaw.files'] } })).Volumes.map(({ Name }) => Name).toSorted();
  const runnerVolume = () => toVolumePlans([runner]).map(({ name }) => name);

  test('says so', async () => {
    expect((await runtime.capabilities({ signal: never })).sharesFiles).toBe(false);
  });

  test('gets them in volumes that go with the container, but for the runner', async () => {
    const containers = await Promise.all(['a', 'b', 'c'].map((id) => runtime.start(spec(id), { signal: never })));
    expect(await Promise.all(containers.map(output))).toEqual(
      ['a', 'b', 'c'].map((id) => `passwd ${id}\nmotd ${id}\n`),
    );
    await Promise.all(containers.map(({ exited }) => exited));
    await expect.poll(volumes, { timeout: 5000 }).toEqual(runnerVolume());
    await expect
      .poll(() => runtime.list({ 'nanoclaw.managed': 'true' }, { signal: never }), { timeout: 5000 })
      .toEqual([]);
  });

  test('nobody inside can change them', async () => {
    const container = await runtime.start(
      spec('d', {
        command: shell(
          'echo x >> /etc/passwd; echo x > /nanoclaw/runner; grep -E " (/etc/passwd|/nanoclaw/runner) " /proc/mounts; cat /etc/passwd',
        ),
      }),
      { signal: never },
    );
    const text = await output(container);
    expect(text.match(/ ro,/g)?.length).toBe(2);
    expect(text).toContain('passwd d\n');
    await container.exited;
  });

  test('a volume that was tampered with is written anew before it is relied on', async () => {
    const [name] = runnerVolume();
    const found = await docker.getVolume(name ?? '').inspect();
    await writeFile(join(found.Mountpoint, `${runner.sha256}-755`), '#!/bin/sh\necho evil\n');
    const other = createDockerRuntime({ host: engine.host });
    const container = await other.start(spec('e'), { signal: never });
    expect(await output(container)).toBe('passwd e\nmotd e\n');
    await container.exited;
    await other.close();
  });

  test('a volume that was removed behind us is made again', async () => {
    const [name] = runnerVolume();
    await docker.getVolume(name ?? '').remove({ force: true });
    const container = await runtime.start(spec('f'), { signal: never });
    expect(await output(container)).toBe('passwd f\nmotd f\n');
    await container.exited;
  });

  test('content that is not what its hash says is never put there', async () => {
    const lying = { ...textFile('/etc/passwd', 'x'), sha256: randomBytes(32).toString('hex') };
    await expect(runtime.start(spec('g', { files: [runner, lying] }), { signal: never })).rejects.toMatchObject({
      code: 'FILE_REFUSED',
    });
    expect(await runtime.list({ 'nanoclaw.managed': 'true' }, { signal: never })).toEqual([]);
    await expect.poll(volumes, { timeout: 5000 }).toEqual(runnerVolume());
  });
});

describeEngine('an engine that goes away', () => {
  test('ends every wait at once, and is found again', async () => {
    const engine = await startDockerd({});
    await loadTestImages(engine.host);
    const runtime = createDockerRuntime({ host: engine.host });
    try {
      const image = await runtime.ensureImage(
        { kind: 'reference', reference: testImages.busybox, pull: 'never' },
        { signal: never, onProgress: () => undefined },
      );
      // Ends at SIGTERM, by which the next dockerd ends what it finds.
      const container = await runtime.start(
        containerSpec({ image, command: shell('trap "exit 0" TERM; while read line; do :; done') }),
        { signal: never },
      );
      container.channel.on('error', () => undefined).resume();
      const closed = new Promise((resolve) => container.channel.once('close', resolve));
      const startedAt = performance.now();
      await engine.kill('SIGKILL');
      expect(await container.exited).toEqual({ kind: 'unknown', reason: 'engine connection lost' });
      await closed;
      expect(performance.now() - startedAt).toBeLessThan(5000);
      await expect(runtime.start(containerSpec({ image }), { signal: never })).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
      });
      await engine.restart();
      const again = await runtime.start(containerSpec({ image, command: shell('exit 4') }), { signal: never });
      again.channel.resume();
      expect(await again.exited).toEqual({ kind: 'exit', exitCode: 4 });
    } finally {
      await runtime.close();
      await engine.stop();
    }
  });
});
