import { createReadStream } from 'node:fs';
import { lstat, opendir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { createError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import { archiveDoneSchema } from '../protocol/messages.ts';
import { sendAll, writeFile } from './files.ts';
import { type SandboxPath, showPath, toWirePath } from './sandbox-path.ts';
import { Transfer } from './transfer.ts';

/** What was copied. */
export interface CopySummary {
  readonly files: number;
  /** Bytes of a file, or of a directory's archive. */
  readonly sizeBytes: number;
}

/** Copies a file, or a directory's content, of this host into the sandbox. Symbolic links stay links. */
export async function upload(
  connection: Connection,
  source: string,
  target: SandboxPath,
  signal?: AbortSignal,
): Promise<CopySummary> {
  const info = await lstat(source).catch((error: NodeJS.ErrnoException) => {
    throw createError(
      'FILE_NOT_FOUND',
      `Cannot copy ${source} into the sandbox: ${error.code === 'ENOENT' ? 'there is no such file or directory on this host' : error.message}.`,
      { path: source },
      error,
    );
  });
  if (info.isFile()) {
    const { sizeBytes } = await writeFile(connection, target, createReadStream(source), {
      mode: info.mode & 0o777,
      createParents: true,
      signal,
    });
    return { files: 1, sizeBytes };
  }
  if (!info.isDirectory()) {
    throw createError(
      'FILE_REFUSED',
      `Cannot copy ${source} into the sandbox: expected a regular file or a directory.`,
      { path: source },
    );
  }
  const what = `Cannot copy ${source} to ${showPath(target)} in the sandbox`;
  const transfer = new Transfer(connection, { kind: 'upload', ...toWirePath(target) }, archiveDoneSchema, what);
  const archive = pack();
  const walked = addDirectory(archive, source, '').then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  );
  const sent = await sendAll(transfer, archive as AsyncIterable<Uint8Array>, signal);
  archive.destroy();
  await walked;
  const done = await transfer.answer;
  if (done.sha256 !== sent.sha256) throw createError('FILE_REFUSED', `${what}: what arrived is not what was sent.`);
  return { files: done.count, sizeBytes: sent.sizeBytes };
}

async function addDirectory(archive: Pack, root: string, relative: string): Promise<void> {
  for await (const entry of await opendir(join(root, relative))) {
    const name = relative === '' ? entry.name : `${relative}/${entry.name}`;
    const path = join(root, name);
    const info = await lstat(path);
    const header = { name, mode: info.mode & 0o777, mtime: info.mtime };
    if (info.isDirectory()) {
      archive.entry({ ...header, type: 'directory' });
      await addDirectory(archive, root, name);
    } else if (info.isSymbolicLink()) {
      archive.entry({ ...header, type: 'symlink', linkname: await readlink(path) });
    } else if (info.isFile()) {
      await pipeline(
        createReadStream(path, { end: Math.max(info.size - 1, 0) }),
        archive.entry({ ...header, size: info.size }),
      );
    } else {
      throw new Error(`${path} is neither a regular file, a directory nor a symbolic link`);
    }
  }
}
