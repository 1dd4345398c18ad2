import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveMounts } from '../../src/policy/mounts.ts';
import { rejectionOf } from './support.ts';

let root = '';
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'nanoclaw-mounts-')));
  await mkdir(join(root, 'data/deep'), { recursive: true });
  await writeFile(join(root, 'data/file'), '');
  await mkdir(join(root, 'home/.ssh'), { recursive: true });
  await mkdir(join(root, 'home/project'), { recursive: true });
  await mkdir(join(root, 'parent/me/.aws'), { recursive: true });
  await mkdir(join(root, 'dangling'), { recursive: true });
  await symlink('/nowhere', join(root, 'dangling/.netrc'));
  for (const [name, target] of Object.entries({
    toRoot: '/',
    toEtc: '/etc',
    toSsh: 'home/.ssh',
    toData: 'data',
    toNothing: 'gone',
    toProc: '/proc/self/fd',
    toRun: '/var/run',
  })) {
    await symlink(target, join(root, name));
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

const mount = (source: string, readOnly = true) => ({ source: join(root, source), target: '/data', readOnly });
const environment = () => ({ sharesFiles: true, homes: [join(root, 'home'), join(root, 'parent/me')] });

describe('sources', () => {
  test('are resolved', async () => {
    const mounts = [mount('toData'), mount('data/file', false), mount('home/project')];
    expect((await resolveMounts(mounts, environment())).map(({ source, readOnly }) => [source, readOnly])).toEqual([
      [join(root, 'data'), true],
      [join(root, 'data/file'), false],
      [join(root, 'home/project'), true],
    ]);
  });

  test.each([
    ['toRoot', 'whole host'],
    ['toEtc', 'belongs to the host'],
    ['toProc', 'belongs to the host'],
    ['toRun', 'belongs to the host'],
    ['toSsh', 'credentials'],
    ['home/.ssh', 'credentials'],
    ['home', 'contains'],
    ['parent', 'contains'],
    ['parent/me', 'contains'],
    ['dangling', 'contains'],
    ['missing', "doesn't exist"],
    ['toNothing', "doesn't exist"],
    ['data/file/x', "doesn't exist"],
  ])('143: %s is refused', async (source, why) => {
    const error = await rejectionOf(resolveMounts([mount('data'), mount(source)], environment()));
    expect(error.code).toBe('INVALID_POLICY');
    expect(error.details.problems?.map(({ path }) => path)).toEqual(['mounts[1].source']);
    expect(error.message).toContain(why);
  });

  test('143: sockets are refused, by what they are and by where the engine is', async () => {
    const path = join(root, 'engine-socket');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      expect((await rejectionOf(resolveMounts([mount('engine-socket')], environment()))).message).toContain(
        'something else',
      );
      const known = { ...environment(), engineSockets: [join(root, 'data/deep/custom')] };
      expect((await rejectionOf(resolveMounts([mount('data')], known))).message).toContain("engine's socket");
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    await writeFile(join(root, 'data/deep/podman.sock'), '');
    expect((await rejectionOf(resolveMounts([mount('data/deep')], environment()))).message).toContain('podman.sock');
    await rm(join(root, 'data/deep/podman.sock'));
  });

  test('every problem is told at once, and nothing is created', async () => {
    const error = await rejectionOf(resolveMounts([mount('a'), mount('b'), mount('toEtc')], environment()));
    expect(error.details.problems?.length).toBe(3);
    await expect(realpath(join(root, 'a'))).rejects.toThrow('ENOENT');
  });

  test("homes are found where they usually are, by everybody's name", async () => {
    const world = {
      sharesFiles: true,
      homes: [],
      realpath: async (path: string) => path,
      kind: async () => 'directory' as const,
      exists: async (path: string) => path === '/home/ann/.kube',
      list: async (directory: string) => (directory === '/home' ? ['ann', 'bob'] : []),
    };
    const at = (source: string) => [{ source, target: '/x', readOnly: true }];
    expect((await rejectionOf(resolveMounts(at('/home'), world))).message).toContain('/home/ann/.kube');
    expect((await rejectionOf(resolveMounts(at('/home/ann'), world))).message).toContain('/home/ann/.kube');
    expect(await resolveMounts(at('/home/bob'), world)).toHaveLength(1);
    expect(await resolveMounts(at('/home/ann/project'), world)).toHaveLength(1);
  });

  test('a link to a system directory is not writable', async () => {
    const world = { ...environment(), realpath: async () => '/usr/share', kind: async () => 'directory' as const };
    expect((await rejectionOf(resolveMounts([mount('data', false)], world))).message).toContain('read-only');
  });
});

test('an engine that shares no files is refused, unless nothing is mounted', async () => {
  const error = await rejectionOf(resolveMounts([mount('data')], { sharesFiles: false }));
  expect(error).toMatchObject({ code: 'CONTROL_UNSUPPORTED', details: { control: 'mounts' } });
  expect(await resolveMounts([], { sharesFiles: false })).toEqual([]);
});
