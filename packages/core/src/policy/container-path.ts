import { quote } from './show.ts';

/** Where the runner lies in every container; nothing else may be put there. */
export const runnerDirectory = '/.nanoclaw';

/**
 * Paths inside a container that are the engine's, the kernel's or ours. A policy can't put anything at, below or above
 * them (above would hide them); `/` alone is left out of "above".
 */
export const reservedPaths: readonly string[] = [
  runnerDirectory,
  '/proc',
  '/sys',
  '/dev',
  '/etc/passwd',
  '/etc/group',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
];

/** Whether `path` is `directory` or lies in it; both normalised. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`);
}

/** The reserved path that `path` would be, lie in or hide. */
export function reservedConflict(path: string): string | undefined {
  if (path === '/') return '/';
  return reservedPaths.find((reserved) => isWithin(path, reserved) || isWithin(reserved, path));
}

/**
 * What is wrong with the spelling of an absolute path, or `undefined`: absolute, normalised, at most 1,024 characters
 * with components of at most 255 bytes, no control characters, and no `:` or `,`, which end a path in engines' options.
 */
export function pathProblem(path: string): string | undefined {
  const found = `found ${path === '' ? 'an empty string' : quote(path)}`;
  if (!path.startsWith('/')) return `expected an absolute path, ${found}`;
  if (path.length > 1_024) return `expected a path of at most 1024 characters, ${found}`;
  if (!path.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(path)) {
    return `expected a path without control characters, ${found}`;
  }
  if (/[:,\\]/.test(path)) return `expected a path without ':', ',' or a backslash, ${found}`;
  if (path === '/') return undefined;
  for (const component of path.slice(1).split('/')) {
    if (component === '' || component === '.' || component === '..') {
      return `expected a normalised path (no '.', '..', '//' or trailing '/'), ${found}`;
    }
    if (Buffer.byteLength(component) > 255) return `expected components of at most 255 bytes, ${found}`;
  }
  return undefined;
}

/** What is wrong with a path at which something is to be mounted, or `undefined`. */
export function mountPointProblem(path: string): string | undefined {
  const problem = pathProblem(path);
  if (problem !== undefined) return problem;
  if (path === '/') return "'/' can't be covered: the root file system is the image's, read-only";
  if (isWithin(path, '/dev/shm')) return "'/dev/shm' is always there; set its size with 'sharedMemory'";
  const reserved = reservedConflict(path);
  if (reserved === undefined) return undefined;
  return `${quote(path)} would cover or lie in ${quote(reserved)}, which belongs to the engine, the kernel or NanoClaw`;
}

/** What is wrong with a directory to start in, or `undefined`. */
export function workdirProblem(path: string): string | undefined {
  const problem = pathProblem(path);
  if (problem !== undefined) return problem;
  // CVE-2024-21626: /proc/self/fd/N as working directory led out of the container through a leaked descriptor.
  const kernel = ['/proc', '/sys', '/dev', runnerDirectory].find((directory) => isWithin(path, directory));
  return kernel === undefined ? undefined : `expected a directory outside ${kernel}, found ${quote(path)}`;
}
