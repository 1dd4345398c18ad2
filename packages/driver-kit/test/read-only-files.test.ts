import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadOnlyFile } from '@nanoclaw/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReadOnlyFileCache } from '../src/read-only-files.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const file = (text: string, mode = 0o444): ReadOnlyFile => ({
  target: '/etc/passwd',
  mode,
  content: { text },
  sha256: sha256(text),
});

describe('createReadOnlyFileCache', () => {
  let homeDir: string;
  beforeEach(async () => {
    homeDir = await mkdtemp(join(tmpdir(), 'nanoclaw-files-'));
  });
  afterEach(() => rm(homeDir, { recursive: true }));
  const create = (env: Record<string, string> = {}) => createReadOnlyFileCache({ env, homeDir });

  test.each([
    [{}, '.local/state'],
    [{ XDG_CACHE_HOME: 'CACHE' }, 'CACHE'],
    [{ XDG_STATE_HOME: 'STATE', XDG_CACHE_HOME: 'CACHE' }, 'STATE'],
  ])('lies where %j says', (env, expected) => {
    const absolute = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, join(homeDir, value)]));
    expect(create(absolute).directory).toBe(join(homeDir, expected, 'nanoclaw', 'files'));
    expect(create({ XDG_STATE_HOME: 'relative' }).directory).toBe(join(homeDir, '.local/state/nanoclaw/files'));
  });

  test('writes a text and a file, with mode and content, once', async () => {
    const cache = create();
    const source = join(homeDir, 'runner');
    await writeFile(source, 'binary');
    const runner: ReadOnlyFile = {
      target: '/runner',
      mode: 0o755,
      content: { path: source },
      sha256: sha256('binary'),
    };
    const paths = await Promise.all(
      [runner, file('text'), runner, file('text', 0o400)].map((entry) => cache.materialise(entry)),
    );
    expect(new Set(paths).size).toBe(3);
    expect(await Promise.all(paths.map((path) => readFile(path, 'utf8')))).toEqual([
      'binary',
      'text',
      'binary',
      'text',
    ]);
    expect((await lstat(paths[0] ?? '')).mode & 0o7777).toBe(0o755);
    expect((await lstat(paths[1] ?? '')).mode & 0o7777).toBe(0o444);
    expect((await lstat(cache.directory)).mode & 0o777).toBe(0o755);
    expect(await readdir(cache.directory)).toHaveLength(3);
    const before = await lstat(paths[0] ?? '');
    expect(await create().materialise(runner)).toBe(paths[0]);
    expect((await lstat(paths[0] ?? '')).ino).toBe(before.ino);
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    [
      'other content',
      (path) =>
        chmod(path, 0o644)
          .then(() => writeFile(path, 'evil'))
          .then(() => chmod(path, 0o444)),
    ],
    [
      'content of the same length and times',
      async (path) => {
        const { atime, mtime } = await lstat(path);
        await chmod(path, 0o644);
        await writeFile(path, 'TEXT');
        await chmod(path, 0o444);
        await utimes(path, atime, mtime);
      },
    ],
    ['another mode', (path) => chmod(path, 0o666)],
    ['a symbolic link', (path) => rm(path).then(() => symlink('/etc/shadow', path))],
    ['nothing', (path) => rm(path)],
  ])('a cached file that was replaced by %s is written anew', async (_what, tamper) => {
    for (const other of [false, true]) {
      const cache = create();
      const path = await cache.materialise(file('text'));
      await tamper(path);
      expect(await (other ? create() : cache).materialise(file('text'))).toBe(path);
      expect(await readFile(path, 'utf8')).toBe('text');
      expect((await lstat(path)).isFile()).toBe(true);
      expect((await lstat(path)).mode & 0o7777).toBe(0o444);
    }
  });

  test('content that is not what its hash says is refused, and nothing stays', async () => {
    const cache = create();
    await expect(cache.materialise({ ...file('text'), sha256: sha256('other') })).rejects.toMatchObject({
      code: 'FILE_REFUSED',
    });
    await expect(
      cache.materialise({ ...file('x'), content: { path: join(homeDir, 'missing') } }),
    ).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect(await readdir(cache.directory)).toEqual([]);
  });

  test("a directory that others may write to is closed to them, and one that isn't ours is refused", async () => {
    const cache = create();
    await mkdir(cache.directory, { recursive: true });
    await chmod(cache.directory, 0o777);
    await cache.materialise(file('text'));
    expect((await lstat(cache.directory)).mode & 0o777).toBe(0o755);
    await rm(cache.directory, { recursive: true });
    await symlink(homeDir, cache.directory);
    await expect(create().materialise(file('text'))).rejects.toMatchObject({ code: 'FILE_REFUSED' });
  });

  test('what nobody used for a week goes, what is used stays', async () => {
    const path = await create().materialise(file('old'));
    const week = 8 * 24 * 60 * 60;
    await utimes(path, Date.now() / 1000 - week, Date.now() / 1000 - week);
    await writeFile(join(homeDir, '.local/state/nanoclaw/files/.new-left-over'), '');
    await utimes(join(homeDir, '.local/state/nanoclaw/files/.new-left-over'), 1, 1);
    const fresh = await create().materialise(file('new'));
    expect((await readdir(create().directory)).map((name) => join(create().directory, name))).toEqual([fresh]);
  });

  test('a probe is a file that is gone afterwards', async () => {
    const cache = create();
    const probe = await cache.createProbe();
    expect((await lstat(probe.path)).isFile()).toBe(true);
    await probe.remove();
    await probe.remove();
    expect(await readdir(cache.directory)).toEqual([]);
  });
});
