// Where the test engines keep their things: outside the clone, so that several clones share them and a
// fresh clone finds them again.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

export const repositoryRoot = join(here, '..', '..');

/** Engines: sockets, logs and data. Short, since a unix socket's path ends at 108 bytes. */
export const stateDirectory = process.env.NANOCLAW_HOST_STATE ?? '/var/lib/nanoclaw-host';

/** Things that can be made again: toolchain, image tars. */
export const cacheDirectory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nanoclaw');

const runDirectory = join(here, '.run');

/** Leaves the variables that reach the engines in `test/host/.run/env`, one `KEY=VALUE` a line. */
export function writeEnvironment(variables) {
  mkdirSync(runDirectory, { recursive: true });
  writeFileSync(join(runDirectory, '.gitignore'), '*\n');
  const lines = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  writeAtomically(join(runDirectory, 'env'), `${lines.join('\n')}\n`);
}

/** What `writeEnvironment` left; empty when `up` has not run in this clone. */
export function readEnvironment() {
  let text = '';
  try {
    text = readFileSync(join(runDirectory, 'env'), 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const pairs = text
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  return Object.fromEntries(pairs);
}

/** A file is there whole or not at all, whenever we are interrupted. */
export function writeAtomically(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

/** A JSON file's value, or undefined when it is missing or was cut short. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A short name for a value: equal values, equal names. */
export function fingerprint(value, length = 12) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, length);
}
