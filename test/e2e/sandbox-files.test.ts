import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

describeEngine('files of a sandbox', () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ runtime, image: testImages.python, env: { GREETING: 'hello' } });
  });
  afterAll(async () => {
    await sandbox?.destroy();
    await runtime.close();
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
});
