import { isWithin } from './container-path.ts';
import { forbiddenWritable } from './mount-rules.ts';
import type { Policy } from './policy.ts';
import type { Report } from './problems.ts';
import { unrelaxable } from './relax.ts';
import { quote } from './show.ts';
import { formatDuration, formatSize } from './units.ts';

const mib = 2 ** 20;

/** Rounded up to something that a person can read. */
function readable(bytes: number): string {
  return bytes < mib ? formatSize(bytes) : `${Math.ceil(bytes / mib)}m`;
}

function checkMemory(policy: Policy, report: Report): void {
  const scratch = policy.scratch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const temporary = scratch + policy.sharedMemoryBytes;
  const parts = `scratch ${readable(scratch)} + sharedMemory ${readable(policy.sharedMemoryBytes)}`;
  if (temporary > policy.memoryBytes / 2) {
    // What lies there is never reclaimed: filled to the brim it would leave programs nothing to run in.
    report(
      'memory',
      `expected at least twice ${parts}, that is ${readable(temporary * 2)}, found ${readable(policy.memoryBytes)}: raise memory, or make them smaller`,
    );
  }
  const needed = Math.ceil((policy.workingSetBytes + temporary) * 1.1);
  if (policy.memoryBytes < needed) {
    report(
      'memory',
      `expected at least 1.1 × (workingSet ${readable(policy.workingSetBytes)} + ${parts}), that is ${readable(needed)}, found ${readable(policy.memoryBytes)}: raise memory, or lower one of them`,
    );
  }
}

function checkPaths(policy: Policy, report: Report): void {
  policy.scratch.forEach(({ path }, index) => {
    const other = policy.scratch.findIndex(
      (candidate, at) => at < index && (isWithin(path, candidate.path) || isWithin(candidate.path, path)),
    );
    const earlier = policy.scratch[other];
    if (earlier !== undefined)
      report(`scratch[${index}].path`, `${quote(path)} overlaps scratch[${other}], ${quote(earlier.path)}`);
  });
  policy.mounts.forEach(({ source, target, readOnly }, index) => {
    const at = `mounts[${index}]`;
    const other = policy.mounts.findIndex(
      (candidate, position) =>
        position < index && (isWithin(target, candidate.target) || isWithin(candidate.target, target)),
    );
    const earlier = policy.mounts[other];
    if (earlier !== undefined)
      report(`${at}.target`, `${quote(target)} overlaps mounts[${other}], ${quote(earlier.target)}`);
    // A mount in a scratch directory is fine; the other way round the engine would create the directory on the host.
    const scratch = policy.scratch.find(({ path }) => isWithin(path, target));
    if (scratch !== undefined)
      report(`${at}.target`, `${quote(target)} would cover the scratch directory ${quote(scratch.path)}`);
    const writable = readOnly ? undefined : forbiddenWritable(source);
    if (writable !== undefined) report(`${at}.source`, writable);
  });
}

function checkTimes(policy: Policy, report: Report): void {
  if (policy.execTimeoutMs > policy.lifetimeMs) {
    report(
      'execTimeout',
      `expected no more than the lifetime, ${formatDuration(policy.lifetimeMs)}, found ${formatDuration(policy.execTimeoutMs)}: raise lifetime too`,
    );
  }
}

function checkRelax(policy: Policy, report: Report): void {
  policy.relax.forEach((control, index) => {
    if (policy.relax.indexOf(control) < index) report(`relax[${index}]`, `'${control}' is named twice`);
    const reason = unrelaxable.get(control);
    if (reason !== undefined) report(`relax[${index}]`, `'${control}' can't be relaxed: ${reason}`);
  });
}

/** A rule over several fields. It is skipped where one of them has a problem of its own already. */
export interface Rule {
  readonly fields: readonly string[];
  readonly check: (policy: Policy, report: Report) => void;
}

/** Every rule that holds for all presets. */
export const rules: readonly Rule[] = [
  { fields: ['memory', 'workingSet', 'scratch', 'sharedMemory'], check: checkMemory },
  { fields: ['scratch', 'mounts'], check: checkPaths },
  { fields: ['execTimeout', 'lifetime'], check: checkTimes },
  { fields: ['relax'], check: checkRelax },
];
