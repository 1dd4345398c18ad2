import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { extract, type Header } from 'tar-stream';
import { createError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import { archiveDoneSchema } from '../protocol/messages.ts';
import { violation } from '../protocol/violation.ts';
import { aborted } from '../runtime/guard.ts';
import { printable } from '../text.ts';
import { readInto, stat } from './files.ts';
import { toReadable } from './lane-streams.ts';
import { type SandboxPath, showPath, toWirePath } from './sandbox-path.ts';
import { Transfer } from './transfer.ts';
import type { CopySummary } from './upload.ts';

export interface DownloadOptions {
  /** Most bytes to take; default 1 GiB. */
  readonly maxBytes?: number;
  /** Most files and directories to take; default 100,000. */
  readonly maxFiles?: number;
  /** What to do with symbolic links, which are never created on this host: an error (default), or leave them out. */
  readonly links?: 'refuse' | 'skip';
  readonly signal?: AbortSignal;
}

/** Has names handed on as the bytes that they are; missing in the library's types. */
const byteNames = { filenameEncoding: 'latin1' } as object;

const writeNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Copies a file, or a directory's content, out of the sandbox. Everything that comes is hostile: only regular files and
 * directories are made, only below `target`, never through a link, never over what is there, within the caps; what a failed copy made is removed.
 */
export async function download(
  connection: Connection,
  source: SandboxPath,
  target: string,
  options: DownloadOptions = {},
): Promise<CopySummary> {
  if (options.signal?.aborted) throw aborted('download', options.signal);
  const info = await stat(connection, source, true);
  return info.type === 'file'
    ? downloadFile(connection, source, await intoDirectory(resolve(target), source), options)
    : downloadDirectory(connection, source, resolve(target), options);
}

/** As `cp` does it: a target that is a directory takes the file under its own name. */
async function intoDirectory(target: string, source: SandboxPath): Promise<string> {
  const info = await lstat(target).catch(() => undefined);
  return info?.isDirectory() ? join(target, safeName(basename(showPath(source)))) : target;
}

async function downloadFile(
  connection: Connection,
  source: SandboxPath,
  target: string,
  options: DownloadOptions,
): Promise<CopySummary> {
  const maxBytes = options.maxBytes ?? 2 ** 30;
  const temporary = `${target}.nanoclaw-${randomBytes(6).toString('hex')}`;
  const file = await openNew(temporary, 0o600);
  try {
    let written = Promise.resolve();
    let sizeBytes = 0;
    let failure: unknown;
    const { mode } = await readInto(
      connection,
      source,
      (bytes, release) => {
        sizeBytes += bytes.length;
        if (sizeBytes > maxBytes) throw tooMuch(source, maxBytes);
        if (failure) throw hostError(target, failure);
        const copy = Buffer.from(bytes);
        written = written
          .then(() => file.writeFile(copy))
          .then(release, (error) => {
            failure = error;
            release();
          });
      },
      options.signal,
    );
    await written;
    if (failure) throw hostError(target, failure);
    await file.chmod(mode & 0o755);
    await file.close();
    // A link and not a rename, which would replace what is there.
    await link(temporary, target).catch((error) => Promise.reject(hostError(target, error)));
    await rm(temporary, { force: true });
    return { files: 1, sizeBytes };
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

async function downloadDirectory(
  connection: Connection,
  source: SandboxPath,
  target: string,
  options: DownloadOptions,
): Promise<CopySummary> {
  const what = `Cannot copy ${showPath(source)} out of the sandbox`;
  const transfer = new Transfer(connection, { kind: 'download', ...toWirePath(source) }, archiveDoneSchema, what);
  const created: string[] = [];
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let entries = 0;
  const maxBytes = options.maxBytes ?? 2 ** 30;
  const maxFiles = options.maxFiles ?? 100_000;
  const onAbort = (): void =>
    transfer.cancel(createError('ABORTED', 'The transfer was aborted.', {}, options.signal?.reason));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  try {
    await makeHostDirectory(target, created);
    // Hashed and counted as it comes: the end of the archive is no reason to stop reading what follows.
    const archive = toReadable(transfer.stream.input[0], (chunk) => {
      transfer.progress();
      hash.update(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes + maxFiles * 1_024) transfer.cancel(tooMuch(source, maxBytes));
    });
    const unpacker = extract(byteNames);
    unpacker.on('error', () => undefined);
    void transfer.answer.catch((error: Error) => {
      archive.destroy(error);
      unpacker.destroy(error);
    });
    archive.pipe(unpacker);
    let bodyBytes = 0;
    for await (const entry of unpacker) {
      entries += 1;
      if (entries > maxFiles)
        throw createError('LIMIT_EXCEEDED', `${what}: it has more than ${maxFiles} files; raise maxFiles.`);
      bodyBytes += entry.header.size ?? 0;
      if (bodyBytes > maxBytes) throw tooMuch(source, maxBytes);
      await takeEntry(entry.header, entry as Body, target, created, options.links ?? 'refuse', what);
    }
    const done = await transfer.answer;
    if (done.size !== sizeBytes || done.sha256 !== hash.digest('hex')) {
      const error = violation('an archive whose length or hash is not what it announced');
      connection.fail(error);
      throw error;
    }
    return { files: entries, sizeBytes };
  } catch (error) {
    const answer = await Promise.race([
      transfer.answer.then(
        () => undefined,
        (reason: NanoclawError) => reason,
      ),
      Promise.resolve(undefined),
    ]);
    transfer.cancel(createError('ABORTED', `${what}.`));
    for (const path of created.reverse()) await removeMade(path);
    throw (
      answer ??
      (error instanceof Error && 'code' in error && 'retryable' in error
        ? error
        : createError('FILE_REFUSED', `${what}: ${printable(String((error as Error).message), 300)}.`, {}, error))
    );
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
  }
}

async function removeMade(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => rmdir(path).catch(() => undefined));
}

async function takeEntry(
  header: Header,
  body: Body,
  target: string,
  created: string[],
  links: 'refuse' | 'skip',
  what: string,
): Promise<void> {
  const name = entryName(header).replace(/\/+$/, '');
  if (name === '' || name === '.') {
    body.resume();
    return;
  }
  const path = join(target, ...name.split('/').map(safeName));
  if (header.type === 'directory') {
    body.resume();
    await makeHostDirectory(path, created);
  } else if (header.type === 'file' || header.type === 'contiguous-file') {
    await assertNoLink(dirname(path), target);
    const file = await openNew(path, (header.mode ?? 0o644) & 0o755);
    created.push(path);
    try {
      for await (const chunk of body) await file.write(chunk).catch((error) => Promise.reject(hostError(path, error)));
    } finally {
      await file.close();
    }
  } else if (header.type === 'symlink' && links === 'skip') {
    body.resume();
  } else {
    throw createError(
      'FILE_REFUSED',
      `${what}: ${printable(header.name, 200)} is a ${printable(String(header.type), 20)}, and only files and directories are copied to this host${header.type === 'symlink' ? '; pass links: "skip" to leave links out' : ''}.`,
    );
  }
}

type Body = AsyncIterable<Uint8Array> & { resume(): void };

/** The archive's bytes as text. A name that is no UTF-8 would become another one on this host, so it is refused. */
function entryName(header: Header): string {
  // Names that need it come as UTF-8 beside the header.
  const extended = (header.pax as { readonly path?: string } | null | undefined)?.path;
  if (extended !== undefined) return extended;
  const bytes = Buffer.from(header.name, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  throw createError(
    'FILE_REFUSED',
    `The sandbox sent a file name that is no UTF-8: "${printable(text, 100)}". Rename it there, or read it with readFile.`,
  );
}

/** One component of a name from inside. */
function safeName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0') || name.length > 255) {
    throw createError(
      'FILE_REFUSED',
      `The sandbox sent a file name that this host does not take: "${printable(name, 100)}".`,
    );
  }
  return name;
}

async function makeHostDirectory(path: string, created: string[]): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info?.isDirectory()) return;
  if (info)
    throw createError('FILE_REFUSED', `Cannot copy to ${path}: it is there already and is no directory.`, { path });
  await mkdir(path, { mode: 0o755 }).catch((error) => Promise.reject(hostError(path, error)));
  created.push(path);
}

/** No directory between `root` and the file may be a link, or a copy could be led elsewhere. */
async function assertNoLink(directory: string, root: string): Promise<void> {
  for (let path = directory; path.length > root.length; path = dirname(path)) {
    const info = await lstat(path).catch(() => undefined);
    if (!info?.isDirectory())
      throw createError('FILE_REFUSED', `Cannot copy to ${path}: expected a directory that is no link.`, { path });
  }
}

async function openNew(path: string, mode: number): Promise<FileHandle> {
  return open(path, writeNew, mode).catch((error) => Promise.reject(hostError(path, error)));
}

function hostError(path: string, error: unknown): NanoclawError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC')
    return createError('NO_SPACE', `Cannot write ${path}: no space is left on this host.`, { path }, error);
  if (code === 'EEXIST')
    return createError(
      'FILE_REFUSED',
      `Cannot write ${path}: it is there already; remove it, or choose another target.`,
      { path },
      error,
    );
  if (code === 'ENOENT')
    return createError('FILE_NOT_FOUND', `Cannot write ${path}: its directory does not exist.`, { path }, error);
  return createError('FILE_REFUSED', `Cannot write ${path}: ${message}.`, { path }, error);
}

function tooMuch(source: SandboxPath, maxBytes: number): NanoclawError {
  return createError(
    'LIMIT_EXCEEDED',
    `${showPath(source)} is larger than the ${maxBytes} bytes allowed; raise maxBytes.`,
  );
}
