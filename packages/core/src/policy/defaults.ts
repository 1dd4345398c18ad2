import { isWithin } from './container-path.ts';
import type { MountPolicy, Policy, ScratchPolicy } from './policy.ts';
import type { PresetName } from './policy-input.ts';
import { allowsExecutableScratch } from './presets.ts';
import type { PolicyFields } from './schema.ts';

const mib = 2 ** 20;
/** Sizes are multiples of the largest page that Linux uses here, so that what an engine sets is what was asked for. */
const page = 65_536;
const minute = 60_000;

function wholePages(bytes: number): number {
  return Math.floor(bytes / page) * page;
}

/** A part of the memory in whole pages, no more than `limit`. */
function share(memoryBytes: number, divisor: number, limit: number): number {
  return Math.min(limit, wholePages(memoryBytes / divisor));
}

/** How many files fit where the policy doesn't say: one per 8 KiB, at least 256, at most 1048576. */
export function defaultInodes(sizeBytes: number): number {
  return Math.min(1_048_576, Math.max(256, Math.floor(sizeBytes / 8_192)));
}

function decideScratch(fields: PolicyFields, memoryBytes: number, preset: PresetName): readonly ScratchPolicy[] {
  const common = { mode: 0o700, medium: 'memory' } as const;
  if (fields.scratch === undefined) {
    const directories = [
      { path: '/tmp', sizeBytes: share(memoryBytes, 8, 64 * mib), executable: false },
      { path: '/workspace', sizeBytes: share(memoryBytes, 4, 128 * mib), executable: allowsExecutableScratch(preset) },
    ];
    return directories.map((directory) => ({ ...directory, ...common, inodes: defaultInodes(directory.sizeBytes) }));
  }
  return fields.scratch.map(({ path, size, inodes, executable, mode }) => ({
    path,
    sizeBytes: wholePages(size),
    inodes: inodes ?? defaultInodes(size),
    executable: executable ?? false,
    mode: mode ?? common.mode,
    medium: common.medium,
  }));
}

/** `/workspace` where something provides it, else the first scratch directory, else `/`. */
function defaultHome(scratch: readonly ScratchPolicy[], mounts: readonly MountPolicy[]): string {
  const home = '/workspace';
  const provided = [...scratch.map(({ path }) => path), ...mounts.map(({ target }) => target)];
  return provided.some((path) => isWithin(home, path)) ? home : (scratch[0]?.path ?? '/');
}

/**
 * Fills in every field that wasn't given. Sizes that depend on each other shrink with the memory where they aren't
 * written down, so that `memory: 128m` alone is a policy that works.
 */
export function decidePolicy(fields: PolicyFields, preset: PresetName): Policy {
  const memoryBytes = wholePages(fields.memory ?? 512 * mib);
  const scratch = decideScratch(fields, memoryBytes, preset);
  const mounts = (fields.mounts ?? []).map(({ source, target, readOnly }) => ({
    source,
    target,
    readOnly: readOnly ?? true,
  }));
  const home = fields.home ?? defaultHome(scratch, mounts);
  const lifetimeMs = fields.lifetime ?? 15 * minute;
  return {
    preset,
    user: fields.user ?? 'auto',
    memoryBytes,
    workingSetBytes: wholePages(fields.workingSet ?? share(memoryBytes, 2, 64 * mib)),
    cpuMillis: fields.cpus ?? 1_000,
    cpuShares: fields.cpuShares ?? 512,
    pids: fields.pids ?? 256,
    openFiles: fields.openFiles ?? 1_024,
    scratch,
    sharedMemoryBytes: wholePages(fields.sharedMemory ?? share(memoryBytes, 64, 8 * mib)),
    workdir: fields.workdir ?? home,
    home,
    execTimeoutMs: fields.execTimeout ?? Math.min(minute, lifetimeMs),
    lifetimeMs,
    idleMs: fields.idle ?? 'off',
    isolation: fields.isolation ?? 'shared-kernel',
    network: fields.network ?? 'none',
    mounts,
    egress: [],
    relax: fields.relax ?? [],
  };
}
