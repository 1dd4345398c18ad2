import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createError } from '../errors/nanoclaw-error.ts';
import type { MountSpec } from '../runtime/container-spec.ts';
import { isWithin } from './container-path.ts';
import {
  credentialPaths,
  engineSocketNames,
  forbiddenSource,
  forbiddenWritable,
  mountSourceProblem,
} from './mount-rules.ts';
import type { MountPolicy } from './policy.ts';
import { ProblemList, problemsError } from './problems.ts';
import { quote } from './show.ts';

/** What mounts are resolved with: the file system and the user's home, replaceable for tests. */
export interface MountEnvironment {
  /** Whether the engine sees the files of this host under the same paths. */
  readonly sharesFiles: boolean;
  /** Homes whose credentials are kept out, beside `/root` and those in `/home` and `/Users`. Default: the user's own. */
  readonly homes?: readonly string[];
  /** Absolute paths of engines' sockets beside the usual ones; the driver reports them. Default: none. */
  readonly engineSockets?: readonly string[];
  /** The path without symbolic links; rejects with `ENOENT` where there is nothing. */
  readonly realpath?: (path: string) => Promise<string>;
  /** What a path is, links followed; `undefined` where it can't be found out. */
  readonly kind?: (path: string) => Promise<'file' | 'directory' | 'other' | undefined>;
  /** Whether something is there, be it a dangling link. */
  readonly exists?: (path: string) => Promise<boolean>;
  /** Names in a directory; none where it can't be read. */
  readonly list?: (directory: string) => Promise<readonly string[]>;
}

type World = Required<MountEnvironment>;

const realWorld: Omit<World, 'sharesFiles' | 'homes'> = {
  engineSockets: [],
  realpath,
  kind: async (path) => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return undefined;
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other';
  },
  exists: async (path) => (await lstat(path).catch(() => undefined)) !== undefined,
  list: async (directory) => await readdir(directory).catch(() => []),
};

/**
 * Resolves the sources of a policy's mounts and applies the rules of `docs/policy.md` to what they really are. A
 * source that doesn't exist is an error: nothing is ever created on the host.
 *
 * @throws NanoclawError `CONTROL_UNSUPPORTED` for the control `mounts` where the engine doesn't share files;
 * `INVALID_POLICY`, with every problem, where a source is missing or refused.
 */
export async function resolveMounts(
  mounts: readonly MountPolicy[],
  environment: MountEnvironment,
): Promise<readonly MountSpec[]> {
  if (mounts.length === 0) return [];
  if (!environment.sharesFiles) {
    const cure = 'copy the files in instead of mounting them';
    throw createError(
      'CONTROL_UNSUPPORTED',
      `mounts: the engine doesn't share this host's files, so it can't mount them: ${cure}`,
      {
        control: 'mounts',
        cure,
      },
    );
  }
  const world: World = { ...realWorld, homes: [homedir()], ...environment };
  const homes = await findHomes(world);
  const problems = new ProblemList();
  const resolved: MountSpec[] = [];
  for (const [index, { source, target, readOnly }] of mounts.entries()) {
    const real = await world.realpath(source).catch(() => undefined);
    const problem =
      real === undefined
        ? `${quote(source)} doesn't exist or can't be reached: create it first`
        : await refusal(source, real, readOnly, world, homes);
    if (problem !== undefined) problems.report(`mounts[${index}].source`, problem);
    else if (real !== undefined) resolved.push({ source: real, target, readOnly });
  }
  if (problems.all.length > 0) throw problemsError('INVALID_POLICY', 'the policy', problems.all);
  return resolved;
}

async function findHomes(world: World): Promise<readonly string[]> {
  const parents = ['/home', '/Users'];
  const found = await Promise.all(
    parents.map(async (parent) => (await world.list(parent)).map((name) => join(parent, name))),
  );
  const homes = [...world.homes, '/root', ...found.flat()];
  const real = await Promise.all(homes.map((home) => world.realpath(home).catch(() => home)));
  return [...new Set([...homes, ...real])];
}

async function refusal(
  source: string,
  real: string,
  readOnly: boolean,
  world: World,
  homes: readonly string[],
): Promise<string | undefined> {
  const byName =
    mountSourceProblem(source) ??
    mountSourceProblem(real) ??
    forbiddenSource(real, world.engineSockets) ??
    (readOnly ? undefined : forbiddenWritable(real));
  if (byName !== undefined) return real === source ? byName : `${quote(source)} leads to ${quote(real)}: ${byName}`;

  const kind = await world.kind(real);
  if (kind === undefined || kind === 'other')
    return `expected a file or a directory, found something else at ${quote(real)}`;
  if (kind === 'file') return undefined;

  const inside = [...engineSocketNames, ...credentialPaths].map((name) => join(real, name));
  const inHomes = homes
    .filter((home) => isWithin(home, real) || isWithin(real, home))
    .flatMap((home) => credentialPaths.map((name) => join(home, name)))
    .filter((path) => isWithin(path, real));
  for (const path of new Set([...inside, ...inHomes])) {
    if (await world.exists(path)) return `${quote(real)} contains ${quote(path)}: mount a directory without it`;
  }
  return undefined;
}
