import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createError } from '@nanoclaw/core';
import { type Pack, pack } from 'tar-stream';

export interface BuildContext {
  /** The tar archive, read as it is sent. */
  readonly archive: Readable;
  /** The Dockerfile's path in it. */
  readonly dockerfile: string;
}

/**
 * Packs a build context as `docker build` does: everything below the directory but what `.dockerignore` names, owned by root.
 * Symbolic links go as links, so nothing outside the directory is ever read.
 */
export async function createBuildContext(contextDir: string, dockerfile: string): Promise<BuildContext> {
  const name = normalize(dockerfile).replaceAll('\\', '/');
  if (isAbsolute(name) || name === '..' || name.startsWith('../')) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected the Dockerfile's path to lie in the build context, found ${JSON.stringify(dockerfile)}.`,
      { path: dockerfile },
    );
  }
  await assertIs('directory', contextDir, 'build context');
  await assertIs('file', join(contextDir, name), 'Dockerfile');
  const isIgnored = createIgnoreFilter(await readIgnoreFile(contextDir));
  const writer = pack();
  // The Dockerfile itself goes along even where it is ignored: the engine needs it.
  const fill = addDirectory(
    writer,
    contextDir,
    '',
    (path) => path !== name && !name.startsWith(`${path}/`) && isIgnored(path),
  );
  fill.then(
    () => writer.finalize(),
    (error: unknown) => writer.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return { archive: Readable.from(writer), dockerfile: name };
}

async function addDirectory(
  writer: Pack,
  root: string,
  directory: string,
  isIgnored: (path: string) => boolean,
): Promise<void> {
  const names = (await readdir(join(root, directory))).toSorted();
  for (const name of names) {
    const path = directory === '' ? name : `${directory}/${name}`;
    const file = join(root, path);
    const stats = await lstat(file);
    const header = { name: path, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 };
    if (stats.isDirectory()) {
      // An ignored directory is still walked: a later `!pattern` may bring something of it back.
      if (!isIgnored(path)) writer.entry({ ...header, type: 'directory' });
      await addDirectory(writer, root, path, isIgnored);
    } else if (isIgnored(path)) {
      // Left out.
    } else if (stats.isSymbolicLink()) {
      writer.entry({ ...header, type: 'symlink', linkname: await readlink(file) });
    } else if (stats.isFile()) {
      await pipeline(createReadStream(file), writer.entry({ ...header, type: 'file', size: stats.size }));
    }
  }
}

/**
 * The rules of `.dockerignore`: one pattern a line, `*`, `?`, `[…]` and `**`, `!` for exceptions, the last that matches a path
 * or a directory above it decides.
 */
export function createIgnoreFilter(text: string): (path: string) => boolean {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const exception = line.startsWith('!');
      const pattern = normalize((exception ? line.slice(1) : line).trim())
        .replaceAll('\\', '/')
        .replace(/^\/+|\/+$/g, '');
      return { exception, matches: toRegExp(pattern) };
    });
  return (path) => {
    let ignored = false;
    for (const rule of rules) if (rule.exception === ignored && rule.matches.test(path)) ignored = !rule.exception;
    return ignored;
  };
}

function toRegExp(pattern: string): RegExp {
  let source = '';
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern.charAt(index);
    if (character === '*' && pattern.charAt(index + 1) === '*') {
      const slash = pattern.charAt(index + 2) === '/';
      source += slash ? '(?:.*/)?' : '.*';
      index += slash ? 2 : 1;
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[' && pattern.includes(']', index + 2)) {
      const end = pattern.indexOf(']', index + 2);
      source += `[${pattern.slice(index + 1, end).replaceAll('\\', '\\\\')}]`;
      index = end;
    } else source += character.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  }
  return new RegExp(`^${source}(?:/.*)?$`, 's');
}

async function readIgnoreFile(contextDir: string): Promise<string> {
  try {
    return await readFile(join(contextDir, '.dockerignore'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

async function assertIs(kind: 'directory' | 'file', path: string, role: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  const right = kind === 'directory' ? stats?.isDirectory() === true : stats?.isFile() === true;
  if (right) return;
  throw createError(
    'FILE_NOT_FOUND',
    `Expected the ${role} ${path} to be a ${kind}, found ${stats === undefined ? 'nothing' : 'something else'}.`,
    { path },
  );
}
