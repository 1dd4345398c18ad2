import { runnerDirectory } from '../policy/container-path.ts';
import type { Check, CheckContext } from './attestation.ts';
import { type MountEntry, parseMountInfo } from './mount-info.ts';

const pageBytes = 4_096;
const sharedMemoryPath = '/dev/shm';

interface ExpectedScratch {
  readonly target: string;
  readonly sizeBytes: number;
  readonly inodes: number;
  readonly executable: boolean;
}

/** Every scratch place is a tmpfs of the size, inodes and flags asked for: what `statfs` says, not the option text. */
export const checkScratch: Check = ({ spec, report }) => {
  const expected: ExpectedScratch[] = [
    ...spec.scratch,
    {
      target: sharedMemoryPath,
      sizeBytes: spec.sharedMemoryBytes,
      inodes: spec.sharedMemoryInodes,
      executable: false,
    },
  ];
  const wrong: string[] = [];
  for (const scratch of expected) {
    const found = report.filesystems.findLast((entry) => entry.path === scratch.target);
    if (found === undefined) {
      wrong.push(`${scratch.target} is not mounted`);
      continue;
    }
    const sizeBytes = Math.ceil(scratch.sizeBytes / pageBytes) * pageBytes;
    const flags = ['nosuid', 'nodev', ...(scratch.executable ? [] : ['noexec'])];
    const missing = flags.filter((flag) => !found.flags.includes(flag));
    if (found.type !== 'tmpfs') wrong.push(`${scratch.target} is ${found.type}`);
    if (found.sizeBytes !== sizeBytes) wrong.push(`${scratch.target} holds ${found.sizeBytes} bytes, not ${sizeBytes}`);
    if (found.inodes !== scratch.inodes) {
      wrong.push(`${scratch.target} holds ${found.inodes} files, not ${scratch.inodes}`);
    }
    if (missing.length > 0) wrong.push(`${scratch.target} lacks ${missing.join(',')}`);
  }
  const asked = `${expected.map((scratch) => scratch.target).join(', ')} as sized`;
  return { expected: asked, found: wrong.length === 0 ? asked : wrong.join('; '), matches: wrong.length === 0 };
};

/** Nothing is mounted but what the spec asks for and what this engine is known to add. */
export const checkMounts: Check = (context) => {
  const unexpected = parseMountInfo(context.report.mountInfo)
    .map((entry) => judge(entry, context))
    .filter((problem) => problem !== undefined);
  const asked = 'the mounts of the policy and of the engine';
  return {
    expected: asked,
    found: unexpected.length === 0 ? asked : unexpected.join('; '),
    matches: unexpected.length === 0,
  };
};

function judge(entry: MountEntry, { spec, capabilities }: CheckContext): string | undefined {
  const { target } = entry;
  if (target === '/') return entry.readOnly ? undefined : '/ is writable';
  if (target === sharedMemoryPath || spec.scratch.some((scratch) => scratch.target === target)) return undefined;
  const mount = spec.mounts.find((candidate) => candidate.target === target);
  if (mount) return mount.readOnly && !entry.readOnly ? `${target} is writable` : undefined;
  const isOurs =
    spec.coveredPaths.includes(target) ||
    spec.maskedPaths.includes(target) ||
    spec.readOnlyPaths.includes(target) ||
    target === runnerDirectory ||
    spec.files.some((file) => file.target === target);
  if (isOurs) {
    // A masked file is /dev/null mounted over it, which takes writes and keeps nothing.
    const isNull = entry.root === '/null' || target === '/dev/null';
    return entry.readOnly || isNull ? undefined : `${target} is writable`;
  }
  const known = capabilities.engineMounts.find((candidate) => candidate.target === target);
  if (known === undefined) return `${target} (${entry.type}) is mounted`;
  if (known.types.length > 0 && !known.types.includes(entry.type)) return `${target} is ${entry.type}`;
  if (!known.writable && !entry.readOnly) return `${target} is writable`;
  return undefined;
}
