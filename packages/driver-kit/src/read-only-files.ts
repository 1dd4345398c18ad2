import { createHash, randomBytes } from 'node:crypto';
import { type BigIntStats, constants, createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createError, type ReadOnlyFile } from '@nanoclaw/core';

/** A directory of our host that holds read-only files by content, ready to be bind-mounted. */
export interface ReadOnlyFileCache {
  /** Absolute path of the directory; it exists after the first `materialise`. */
  readonly directory: string;
  /**
   * Puts a file's content there and answers its path. What lies there already is used only while it still has the mode
   * and the hash that were asked for: a file that was tampered with is replaced, never mounted.
   */
  materialise(file: ReadOnlyFile): Promise<string>;
  /** Creates an empty file whose name nobody else has, to find out whether an engine sees our files. The caller removes it. */
  createProbe(): Promise<{ readonly path: string; remove(): Promise<void> }>;
}

export interface ReadOnlyFileCacheOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly homeDir?: string;
  readonly now?: () => number;
}

/** Files unused for this long are removed: a passwd per sandbox uid adds up. A mounted file survives its removal. */
const keepMs = 7 * 24 * 60 * 60 * 1000;
const keepTemporaryMs = 60 * 60 * 1000;

export function createReadOnlyFileCache({
  env = process.env,
  homeDir = homedir(),
  now = Date.now,
}: ReadOnlyFileCacheOptions = {}): ReadOnlyFileCache {
  const directory = join(stateHome(env, homeDir), 'nanoclaw', 'files');
  const verified = new Map<string, { readonly identity: string; readonly usedAtMs: number }>();
  const underWay = new Map<string, Promise<string>>();
  let prepared: Promise<void> | undefined;

  const prepare = (): Promise<void> => {
    prepared ??= prepareDirectory(directory)
      .then(() => removeOld(directory, now()))
      .catch((error: unknown) => {
        prepared = undefined;
        throw toFileError(error, directory);
      });
    return prepared;
  };

  const materialise = async (file: ReadOnlyFile, path: string): Promise<string> => {
    await prepare();
    const known = verified.get(path);
    // The change time can't be set back by anyone but root, so one stat a start is enough after the first hash.
    const before = await regularFile(path, file.mode);
    const fresh = known !== undefined && now() - known.usedAtMs < keepMs / 2;
    if (before !== undefined && fresh && known.identity === identity(before)) return path;
    const written =
      before === undefined || (await hashFile(path)) !== file.sha256 ? await write(directory, path, file) : undefined;
    if (written === undefined && !fresh) await touch(path, now());
    const after = await regularFile(path, file.mode);
    // What was hashed on its way to the disk need not be read again while it is the same file, unchanged.
    const unchanged =
      written === undefined
        ? (await hashFile(path)) === file.sha256
        : after !== undefined && isSameFile(after, written);
    if (after === undefined || !unchanged) {
      throw createError(
        'FILE_REFUSED',
        `Another process changes ${path} while NanoClaw writes it: expected the SHA-256 ${file.sha256}. ` +
          'Make sure that only this user can write to the directory.',
        { path },
      );
    }
    verified.set(path, { identity: identity(after), usedAtMs: now() });
    return path;
  };

  return {
    directory,
    materialise(file) {
      const path = join(directory, `${file.sha256}-${file.mode.toString(8)}`);
      const running = underWay.get(path);
      if (running !== undefined) return running;
      const promise = materialise(file, path)
        .catch((error: unknown) => {
          throw toFileError(error, path);
        })
        .finally(() => underWay.delete(path));
      underWay.set(path, promise);
      return promise;
    },
    async createProbe() {
      await prepare();
      const path = join(directory, `.probe-${randomBytes(16).toString('hex')}`);
      await (await open(path, 'wx', 0o444)).close();
      return { path, remove: () => removeIfThere(path) };
    },
  };
}

function stateHome(env: Readonly<Record<string, string | undefined>>, homeDir: string): string {
  // As the XDG base directory specification has it, a relative path is to be ignored.
  for (const name of ['XDG_STATE_HOME', 'XDG_CACHE_HOME']) {
    const value = env[name];
    if (value !== undefined && isAbsolute(value)) return value;
  }
  return join(homeDir, '.local', 'state');
}

/** Readable for any uid, since the sandbox's user is nobody here; writable for us alone, since we mount what lies there. */
async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const stats = await lstat(directory);
  const ownUid = process.geteuid?.();
  if (!stats.isDirectory() || (ownUid !== undefined && stats.uid !== ownUid)) {
    throw createError(
      'FILE_REFUSED',
      `Expected ${directory} to be a directory of user ${ownUid}, found ${stats.isDirectory() ? `one of user ${stats.uid}` : 'something else'}. ` +
        'Remove it, or set XDG_STATE_HOME to a directory of your own.',
      { path: directory },
    );
  }
  if ((stats.mode & 0o777) !== 0o755) await chmod(directory, 0o755);
}

/** Writes a file under its final name, and answers its status from before it had that name. */
async function write(directory: string, path: string, file: ReadOnlyFile): Promise<BigIntStats> {
  const temporary = join(directory, `.new-${randomBytes(12).toString('hex')}`);
  const handle = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const hash = createHash('sha256');
    const chunks = 'text' in file.content ? [Buffer.from(file.content.text)] : createReadStream(file.content.path);
    for await (const chunk of chunks as AsyncIterable<Buffer> | Buffer[]) {
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    const found = hash.digest('hex');
    if (found !== file.sha256) {
      const name = 'text' in file.content ? `the content for ${file.target}` : file.content.path;
      throw createError(
        'FILE_REFUSED',
        `Expected ${name} to have the SHA-256 ${file.sha256}, found ${found}. Was it changed since NanoClaw was started?`,
        {
          path: file.target,
        },
      );
    }
    await handle.chmod(file.mode);
    const written = await handle.stat({ bigint: true });
    await handle.close();
    await rename(temporary, path);
    return written;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await removeIfThere(temporary);
    throw error;
  }
}

/** The file's status, or `undefined` where it is missing or not exactly a file of ours with that mode. */
async function regularFile(path: string, mode: number): Promise<BigIntStats | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    const ownUid = process.geteuid?.();
    const ours = ownUid === undefined || stats.uid === BigInt(ownUid);
    return stats.isFile() && ours && Number(stats.mode & 0o7777n) === mode ? stats : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function identity(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/** Apart from the change time, which a renaming sets. */
function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

async function touch(path: string, nowMs: number): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.utimes(nowMs / 1000, nowMs / 1000);
  } finally {
    await handle.close();
  }
}

async function removeOld(directory: string, nowMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const stats = await lstat(path).catch(() => undefined);
    const limit = name.startsWith('.') ? keepTemporaryMs : keepMs;
    if (stats?.isFile() === true && nowMs - stats.mtimeMs > limit) await removeIfThere(path);
  }
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function toFileError(error: unknown, path: string): unknown {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return createError(
      'NO_SPACE',
      `No space left on the disk of ${path}. Free some, or set XDG_STATE_HOME to another disk.`,
      { path },
      error,
    );
  }
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM') || isErrno(error, 'EROFS')) {
    return createError(
      'FILE_REFUSED',
      `NanoClaw keeps the files it mounts into sandboxes in ${path}, and may not write there. Set XDG_STATE_HOME to a directory of your own.`,
      { path },
      error,
    );
  }
  if (isErrno(error, 'ENOENT')) {
    return createError(
      'FILE_NOT_FOUND',
      `A file that the sandbox needs is missing: ${error instanceof Error ? error.message : path}.`,
      { path },
      error,
    );
  }
  return error;
}
