import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ImageInfo, ImageProgress, ImageSource, SandboxRuntime } from '@nanoclaw/core';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../../../test/support/engine.ts';
import { createIgnoreFilter } from '../src/docker-build-context.ts';
import { findRegistryCredentials } from '../src/docker-credentials.ts';
import { registryOf, splitReference } from '../src/docker-image-reference.ts';
import { createDockerRuntime } from '../src/index.ts';

const never = new AbortController().signal;

describeEngine('ensureImage', () => {
  let runtime: SandboxRuntime;
  let directory: string;
  const run = randomBytes(4).toString('hex');
  const labels = { 'nanoclaw.test.images': run };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-images-'));
    runtime = createDockerRuntime({ host: dockerHost() });
  });
  afterAll(async () => {
    for (const { digest } of await runtime.listImages(labels, { signal: never }))
      await runtime.removeImage(digest, { signal: never });
    await runtime.close();
    await rm(directory, { recursive: true });
  });

  const ensure = (
    source: ImageSource,
    onProgress: (progress: ImageProgress) => void = () => undefined,
    signal = never,
  ): Promise<ImageInfo> => runtime.ensureImage(source, { signal, onProgress });
  const reference = (name: string, pull: 'missing' | 'always' | 'never' = 'missing') =>
    ensure({ kind: 'reference', reference: name, pull });

  async function context(files: Record<string, string>): Promise<string> {
    const path = await mkdtemp(join(directory, 'context-'));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(path, name, '..'), { recursive: true });
      await writeFile(join(path, name), content);
    }
    return path;
  }

  const build = (contextDir: string, key: string, more: Partial<ImageSource & { kind: 'build' }> = {}) => ({
    kind: 'build' as const,
    contextDir,
    dockerfile: 'Dockerfile',
    buildArgs: {},
    labels,
    tag: `nanoclaw-test/built-${run}:${key}`,
    key: `${run}-${key}`,
    network: 'none' as const,
    ...more,
  });

  describe('a reference', () => {
    test('that is there is described, and pinned by digest', async () => {
      const image = await reference(testImages.busybox);
      expect(image).toMatchObject({
        reference: testImages.busybox,
        digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        platform: { os: 'linux' },
      });
      expect((await reference(image.digest, 'never')).digest).toBe(image.digest);
    });

    test('that is not there, and may not be pulled', async () => {
      await expect(reference('nanoclaw-test/none:1', 'never')).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringContaining('docker load'),
      });
      await expect(reference(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    });

    test('that no registry gives says what to do', async () => {
      // Nothing listens on port 1 of the engine's own loopback.
      await expect(reference('127.0.0.1:1/nothing/here:1')).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringMatching(
          /127\.0\.0\.1:1\/nothing\/here:1 is not on this engine and could not be pulled from 127\.0\.0\.1:1.*docker load/s,
        ),
      });
    });

    test('for another architecture is refused', async () => {
      const other = (await reference(testImages.busybox)).platform.architecture === 'amd64' ? 'arm64' : 'amd64';
      const path = join(directory, 'foreign.tar');
      const layer = Buffer.alloc(1024);
      const diff = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
      const config = {
        os: 'linux',
        architecture: other,
        config: { Labels: labels },
        rootfs: { type: 'layers', diff_ids: [diff] },
      };
      const archive = pack();
      archive.entry({ name: 'config.json' }, JSON.stringify(config));
      archive.entry({ name: 'layer.tar' }, layer);
      archive.entry(
        { name: 'manifest.json' },
        JSON.stringify([
          { Config: 'config.json', RepoTags: [`nanoclaw-test/foreign-${run}:1`], Layers: ['layer.tar'] },
        ]),
      );
      archive.finalize();
      await pipeline(Readable.from(archive), createWriteStream(path));
      const refusal = { code: 'IMAGE_UNUSABLE', message: expect.stringContaining(`linux/${other}`) };
      await expect(ensure({ kind: 'archive', path })).rejects.toMatchObject(refusal);
      await expect(reference(`nanoclaw-test/foreign-${run}:1`)).rejects.toMatchObject(refusal);
    });
  });

  describe('an archive', () => {
    test('is loaded', async () => {
      const docker = new Docker({ socketPath: dockerHost().replace('unix://', '') });
      const built = await ensure(
        build(await context({ Dockerfile: `FROM ${testImages.busybox}\nENV ARCHIVED=1\n` }), 'archive'),
      );
      const path = join(directory, 'image.tar');
      await pipeline(await docker.getImage(built.reference).get(), createWriteStream(path));
      await runtime.removeImage(built.digest, { signal: never });
      await expect(reference(built.reference, 'never')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
      const seen: ImageProgress[] = [];
      const loaded = await ensure({ kind: 'archive', path }, (progress) => seen.push(progress));
      expect(loaded).toMatchObject({ reference: built.reference, digest: built.digest });
      expect(seen.at(-1)).toMatchObject({ phase: 'load' });
      expect(seen.some(({ completedBytes, totalBytes }) => totalBytes > 0 && completedBytes === totalBytes)).toBe(true);
    });

    test('that is missing, or none, is refused', async () => {
      await expect(ensure({ kind: 'archive', path: join(directory, 'missing.tar') })).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
      });
      await expect(ensure({ kind: 'archive', path: directory })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      const text = join(directory, 'text.tar');
      await writeFile(text, 'this is no archive at all'.repeat(100));
      await expect(ensure({ kind: 'archive', path: text })).rejects.toMatchObject({
        code: 'IMAGE_UNUSABLE',
        message: expect.stringContaining(text),
      });
    });
  });

  describe('a build', () => {
    test('runs the Dockerfile with its arguments, labels and ignored files, and tells how far it is', async () => {
      const path = await context({
        Dockerfile: `FROM ${testImages.busybox}\nARG WHO\nCOPY . /context\nRUN echo "hello $WHO" > /greeting && ls /context\nENV GREETED=$WHO\n`,
        '.dockerignore': '# comment\nsecret\n**/*.log\n!keep.log\n',
        'a.txt': 'a',
        secret: 's',
        'deep/x.log': 'x',
        'keep.log': 'k',
      });
      const lines: string[] = [];
      const image = await ensure(build(path, 'full', { buildArgs: { WHO: 'you' } }), ({ phase, message }) =>
        lines.push(`${phase} ${message}`),
      );
      expect(image.config.env).toContain('GREETED=you');
      expect(image.config.labels).toMatchObject({ ...labels, 'nanoclaw.build.key': `${run}-full` });
      expect(lines.some((line) => /^build Step \d+\/\d+ : RUN/.test(line))).toBe(true);
      const listing = lines.join('\n');
      expect(listing).toContain('a.txt');
      expect(listing).toContain('keep.log');
      expect(listing).not.toContain('secret');
      expect(
        (await runtime.listImages({ 'nanoclaw.build.key': `${run}-full` }, { signal: never })).map(
          ({ digest }) => digest,
        ),
      ).toEqual([image.digest]);
    });

    test('of one key happens once, also at the same time; a listener of each hears of it', async () => {
      const path = await context({ Dockerfile: `FROM ${testImages.busybox}\nRUN date +%N > /built-at; sleep 1\n` });
      const heard = [0, 0];
      const images = await Promise.all(
        heard.map((_, index) => ensure(build(path, 'once'), () => (heard[index] = (heard[index] ?? 0) + 1))),
      );
      expect(images[0]?.digest).toBe(images[1]?.digest);
      expect(Math.min(...heard)).toBeGreaterThan(0);
      let again = 0;
      expect(
        (await ensure(build(path, 'once', { tag: `nanoclaw-test/built-${run}:other` }), () => (again += 1))).digest,
      ).toBe(images[0]?.digest);
      expect(again).toBe(0);
    });

    test('that one of two callers gives up goes on for the other', async () => {
      const path = await context({ Dockerfile: `FROM ${testImages.busybox}\nRUN date +%N; sleep 1\n` });
      const abort = new AbortController();
      const first = ensure(build(path, 'shared'), undefined, abort.signal);
      const second = ensure(build(path, 'shared'));
      setTimeout(() => abort.abort(), 300);
      await expect(first).rejects.toMatchObject({ code: 'ABORTED' });
      expect((await second).digest).toMatch(/^sha256:/);
    });

    test('that fails shows what it said last', async () => {
      const path = await context({ Dockerfile: `FROM ${testImages.busybox}\nRUN echo the-last-words; exit 3\n` });
      await expect(ensure(build(path, 'fails'))).rejects.toMatchObject({
        code: 'BUILD_FAILED',
        message: expect.stringMatching(/returned a non-zero code: 3.*the-last-words/s),
      });
    });

    test('on a base that is nowhere, with a Dockerfile that is not there or not one', async () => {
      const nowhere = await context({ Dockerfile: 'FROM 127.0.0.1:1/no/base:1\n', Broken: 'FROM x\nNOSUCH thing\n' });
      await expect(ensure(build(nowhere, 'base'))).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringContaining('FROM'),
      });
      await expect(ensure(build(nowhere, 'missing', { dockerfile: 'Other' }))).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
      });
      await expect(ensure(build(nowhere, 'outside', { dockerfile: '../Dockerfile' }))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
      await expect(ensure(build(join(directory, 'none'), 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      await expect(ensure(build(nowhere, 'broken', { dockerfile: 'Broken' }))).rejects.toMatchObject({
        code: expect.stringMatching(/BUILD_FAILED|IMAGE_NOT_FOUND/),
      });
    });

    test('removing an image that is gone is no error', async () => {
      await runtime.removeImage(`sha256:${'1'.repeat(64)}`, { signal: never });
    });
  });
});

describe('references', () => {
  test.each([
    ['busybox', 'busybox', 'latest', 'https://index.docker.io/v1/'],
    ['busybox:1', 'busybox', '1', 'https://index.docker.io/v1/'],
    ['user/app', 'user/app', 'latest', 'https://index.docker.io/v1/'],
    ['docker.io/library/x:2', 'docker.io/library/x', '2', 'https://index.docker.io/v1/'],
    ['ghcr.io/a/b:c', 'ghcr.io/a/b', 'c', 'ghcr.io'],
    ['localhost:5000/a', 'localhost:5000/a', 'latest', 'localhost:5000'],
    ['localhost/a', 'localhost/a', 'latest', 'localhost'],
    ['a/b@sha256:00', 'a/b', 'sha256:00', 'https://index.docker.io/v1/'],
  ])('%s', (reference, repo, tag, registry) => {
    expect(splitReference(reference)).toEqual({ repo, tag });
    expect(registryOf(reference)).toBe(registry);
  });
});

describe('findRegistryCredentials', () => {
  let homeDir: string;
  beforeAll(async () => {
    homeDir = await mkdtemp(join(tmpdir(), 'nanoclaw-credentials-'));
    await mkdir(join(homeDir, '.docker'));
    await mkdir(join(homeDir, 'bin'));
    const helper = join(homeDir, 'bin', 'docker-credential-test');
    await writeFile(
      helper,
      '#!/bin/sh\nread registry\n[ "$registry" = none.test ] && { echo "credentials not found"; exit 1; }\necho "{\\"ServerURL\\":\\"$registry\\",\\"Username\\":\\"<token>\\",\\"Secret\\":\\"t\\"}"\n',
    );
    await chmod(helper, 0o755);
    await writeFile(
      join(homeDir, '.docker', 'config.json'),
      JSON.stringify({
        auths: {
          'plain.test': { auth: Buffer.from('me:pass:word').toString('base64') },
          'https://index.docker.io/v1/': { identitytoken: 'hub' },
          'none.test': {},
        },
        credHelpers: {
          'helped.test': 'test',
          'none.test': 'test',
          'evil.test': '../../bin/sh',
          'absent.test': 'not-installed',
        },
      }),
    );
  });
  afterAll(() => rm(homeDir, { recursive: true }));

  test.each([
    ['plain.test/a:1', { serveraddress: 'plain.test', username: 'me', password: 'pass:word' }],
    ['busybox', { serveraddress: 'https://index.docker.io/v1/', identitytoken: 'hub' }],
    ['helped.test/a', { serveraddress: 'helped.test', identitytoken: 't' }],
    ['none.test/a', undefined],
    ['evil.test/a', undefined],
    ['absent.test/a', undefined],
    ['unknown.test/a', undefined],
  ])('%s', async (reference, expected) => {
    const env = { PATH: `${join(homeDir, 'bin')}:/usr/bin:/bin` };
    expect(await findRegistryCredentials(reference, { env, homeDir })).toEqual(expected);
  });
});

describe('createIgnoreFilter', () => {
  test.each<[string, string[], string[]]>([
    ['node_modules', ['node_modules', 'node_modules/a/b'], ['src/node_modules', 'node_modules2']],
    ['**/node_modules', ['node_modules', 'a/b/node_modules/x'], ['nodemodules']],
    ['*.md\n!README.md', ['a.md'], ['README.md', 'docs/a.md']],
    ['docs/**/*.txt', ['docs/a.txt', 'docs/b/c.txt'], ['a.txt']],
    ['/rooted/', ['rooted', 'rooted/x'], ['a/rooted']],
    ['*', ['a', 'b/c'], []],
    ['*\n!keep', ['a'], ['keep', 'keep/x']],
    ['file?.[ab]', ['file1.a', 'file2.b'], ['file1.c', 'file.a']],
    ['# comment\n\n', [], ['# comment', 'a']],
  ])('%j', (text, ignored, kept) => {
    const isIgnored = createIgnoreFilter(text);
    expect(ignored.filter((path) => !isIgnored(path))).toEqual([]);
    expect(kept.filter((path) => isIgnored(path))).toEqual([]);
  });
});
