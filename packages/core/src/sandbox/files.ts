import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import {
  doneSchema,
  entrySchema,
  listDoneSchema,
  parseMessage,
  readDoneSchema,
  statSchema,
  type WireEntry,
  writeDoneSchema,
} from '../protocol/messages.ts';
import { ByteCollector } from '../protocol/pieces.ts';
import { parseStrictJson } from '../protocol/strict-json.ts';
import { violation } from '../protocol/violation.ts';
import { wholeNumber } from './exec-options.ts';
import { fromWireName, type SandboxPath, showPath, toWirePath } from './sandbox-path.ts';
import { ask, Transfer } from './transfer.ts';

/** What `list` and `stat` say of a file. All of it comes from inside, so it is only as true as the sandbox. */
export interface SandboxFile {
  /** Base name; bytes that are no UTF-8 show as U+FFFD. */
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly type: WireEntry['type'];
  readonly sizeBytes: number;
  /** Permission bits, e.g. `0o644`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  /** Where a symbolic link points, else empty. */
  readonly linkTarget: string;
}

export type FileContent = string | Uint8Array | Readable | AsyncIterable<Uint8Array>;

const maxEntryBytes = 16_384;

/** Streams a file out; `onBytes` returns when it can take more. Checks length and hash. */
export async function readInto(
  connection: Connection,
  path: SandboxPath,
  onBytes: (bytes: Buffer, release: () => void) => void,
  signal?: AbortSignal,
): Promise<{ readonly sizeBytes: number; readonly sha256: string; readonly mode: number }> {
  const request = { kind: 'read-file', ...toWirePath(path), offset: 0, length: null };
  const transfer = new Transfer(connection, request, readDoneSchema, `Cannot read ${showPath(path)} in the sandbox`);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const [lane] = transfer.stream.input;
  const onAbort = (): void => transfer.cancel(createError('ABORTED', 'The transfer was aborted.', {}, signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  lane.consume({
    data(bytes) {
      transfer.progress();
      hash.update(bytes);
      sizeBytes += bytes.length;
      try {
        onBytes(bytes, () => lane.consumed(bytes.length));
      } catch (error) {
        transfer.cancel(error as never);
      }
    },
    end() {},
  });
  try {
    const done = await transfer.answer;
    const sha256 = hash.digest('hex');
    if (done.size !== sizeBytes || done.sha256 !== sha256) {
      const error = violation('a file whose length or hash is not what it announced');
      connection.fail(error);
      throw error;
    }
    return { sizeBytes, sha256, mode: done.mode & 0o7777 };
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Reads a whole file of at most `maxBytes`. */
export async function readFile(
  connection: Connection,
  path: SandboxPath,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const content = new ByteCollector();
  wholeNumber('maxBytes', maxBytes, 0, 2 ** 31);
  await readInto(
    connection,
    path,
    (bytes, release) => {
      if (content.length + bytes.length > maxBytes) {
        throw createError(
          'LIMIT_EXCEEDED',
          `${showPath(path)} is larger than the ${maxBytes} bytes asked for; raise maxBytes, or use download.`,
          { path: showPath(path) },
        );
      }
      content.append(bytes);
      release();
    },
    signal,
  );
  return content.bytes();
}

/** Writes a file, whole or not at all. */
export async function writeFile(
  connection: Connection,
  path: SandboxPath,
  content: FileContent,
  options: { readonly mode: number; readonly createParents: boolean; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const { mode, createParents, signal } = options;
  const request = { kind: 'write-file', ...toWirePath(path), mode, createParents };
  const transfer = new Transfer(connection, request, writeDoneSchema, `Cannot write ${showPath(path)} in the sandbox`);
  const { sizeBytes, sha256 } = await sendAll(transfer, toChunks(content), signal);
  const done = await transfer.answer;
  if (done.size !== sizeBytes || done.sha256 !== sha256) {
    const error = violation('a file that it wrote otherwise than it was sent');
    connection.fail(error);
    throw error;
  }
  return { sizeBytes, sha256 };
}

/** Sends all chunks and the end. A source that fails, or an abort, gives the transfer up; a transfer that ends leaves the source. */
export async function sendAll(
  transfer: Pick<Transfer<never>, 'stream' | 'progress' | 'cancel' | 'onOver'>,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const { output } = transfer.stream;
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  const onAbort = (): void => transfer.cancel(createError('ABORTED', 'The transfer was aborted.', {}, signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    for (;;) {
      // A source may never say anything again; the sandbox's end, or its refusal (a full disk, say), is not kept waiting for it.
      const next = await untilOver(source.next(), transfer);
      if (next === undefined || next.done) break;
      hash.update(next.value);
      sizeBytes += next.value.length;
      await output.write(next.value);
      transfer.progress();
      if (output.over) break;
    }
  } catch (error) {
    transfer.cancel(createError('INVALID_ARGUMENT', 'Reading the content that was given failed.', {}, error));
  } finally {
    transfer.onOver = () => signal?.removeEventListener('abort', onAbort);
  }
  output.end();
  // Not awaited: a generator that is waiting itself would answer only once it is done waiting.
  if (chunks instanceof Readable) chunks.destroy();
  else void Promise.resolve(source.return?.()).catch(() => undefined);
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** What comes first: the value, or the transfer's end (`undefined`). A race would keep every value for as long as the transfer lasts. */
function untilOver<T>(value: T | Promise<T>, transfer: { onOver: (() => void) | undefined }): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    transfer.onOver = () => resolve(undefined);
    Promise.resolve(value).then(resolve, reject);
  });
}

function toChunks(content: FileContent): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  if (typeof content === 'string') return [Buffer.from(content)];
  if (content instanceof Uint8Array) return [content];
  return content as AsyncIterable<Uint8Array>;
}

export async function stat(connection: Connection, path: SandboxPath, followSymlinks: boolean): Promise<SandboxFile> {
  const request = { kind: 'stat', ...toWirePath(path), followSymlinks };
  const { entry } = await ask(connection, request, statSchema, `Cannot look at ${showPath(path)} in the sandbox`);
  return toSandboxFile(entry);
}

/** Entries of a directory, at most `maxEntries`, sorted by name. */
export async function list(
  connection: Connection,
  path: SandboxPath,
  maxEntries: number,
): Promise<readonly SandboxFile[]> {
  const request = { kind: 'list', ...toWirePath(path) };
  const what = `Cannot list ${showPath(path)} in the sandbox`;
  wholeNumber('maxEntries', maxEntries, 0, 10_000_000);
  const transfer = new Transfer(connection, request, listDoneSchema, what);
  const [lane] = transfer.stream.input;
  const files: SandboxFile[] = [];
  let rest = Buffer.alloc(0);
  lane.consume({
    data(bytes) {
      transfer.progress();
      let text = Buffer.concat([rest, bytes]);
      for (let end = text.indexOf(10); end !== -1; end = text.indexOf(10)) {
        if (end > maxEntryBytes) throw violation('a directory entry that is too long');
        files.push(toSandboxFile(parseMessage(entrySchema, parseStrictJson(text.subarray(0, end)))));
        text = text.subarray(end + 1);
      }
      if (text.length > maxEntryBytes) throw violation('a directory entry without end');
      rest = Buffer.from(text);
      if (files.length > maxEntries) {
        transfer.cancel(
          createError('LIMIT_EXCEEDED', `${what}: it has more than ${maxEntries} entries; raise maxEntries.`),
        );
      } else lane.consumed(bytes.length);
    },
    end() {},
  });
  const done = await transfer.answer;
  if (done.count !== files.length)
    throw createError('FILE_REFUSED', `${what}: it announced ${done.count} entries and sent ${files.length}.`);
  return files.sort((a, b) => Buffer.compare(a.nameBytes, b.nameBytes));
}

export async function makeDirectory(
  connection: Connection,
  path: SandboxPath,
  mode: number,
  recursive: boolean,
): Promise<void> {
  const request = { kind: 'mkdir', ...toWirePath(path), mode, recursive };
  await ask(connection, request, doneSchema, `Cannot create the directory ${showPath(path)} in the sandbox`);
}

export async function remove(connection: Connection, path: SandboxPath, recursive: boolean): Promise<void> {
  await ask(
    connection,
    { kind: 'remove', ...toWirePath(path), recursive },
    doneSchema,
    `Cannot remove ${showPath(path)} in the sandbox`,
  );
}

function toSandboxFile(entry: WireEntry): SandboxFile {
  return {
    ...fromWireName(entry.nameBase64),
    type: entry.type,
    sizeBytes: entry.size,
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    modifiedMs: entry.modifiedMs,
    linkTarget: Buffer.from(entry.targetBase64, 'base64').toString('utf8'),
  };
}
