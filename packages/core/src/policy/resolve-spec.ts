import { createError } from '../errors/nanoclaw-error.ts';
import type { RuntimeCapabilities } from '../runtime/capabilities.ts';
import type { ContainerSpec, MountSpec, ReadOnlyFile } from '../runtime/container-spec.ts';
import type { ImageInfo } from '../runtime/image.ts';
import { accountName } from './account-files.ts';
import { defaultInodes } from './defaults.ts';
import { userIdProblem } from './fields.ts';
import { imageEnvironment } from './image-environment.ts';
import { coveredPaths } from './image-volumes.ts';
import { maskedPaths, readOnlyPaths } from './paths.ts';
import type { Policy } from './policy.ts';
import { ProblemList, problemsError, type Report } from './problems.ts';
import { seccompProfile } from './seccomp/profile.ts';
import { quote, show } from './show.ts';

/** The name that every sandbox has inside: it tells nothing, and a warm one doesn't have to change it. */
export const sandboxHostname = 'sandbox';

/** Everything that a container is decided from. */
export interface SpecInput {
  readonly policy: Policy;
  readonly capabilities: RuntimeCapabilities;
  readonly image: ImageInfo;
  /** Unique on the engine: 1 to 40 of `a-z`, `0-9` and `-`, not starting or ending with `-`. */
  readonly sandboxId: string;
  /** Allocated, or the policy's own. */
  readonly user: { readonly uid: number; readonly gid: number };
  /** The runner, and what `accountFiles` makes. */
  readonly files: readonly ReadOnlyFile[];
  /** What `resolveMounts` made of the policy's mounts. */
  readonly mounts: readonly MountSpec[];
  /** Absolute path of the runner inside, then its arguments. */
  readonly runnerCommand: readonly [string, ...string[]];
  /** Keys of `a-z`, `0-9`, `.`, `_`, `/`, `-`; values of at most 1,024 printable characters. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Decides a container. Pure: everything that has to be asked for (capabilities, image, real paths, a free uid) comes in.
 *
 * @throws NanoclawError `INVALID_ARGUMENT` for a bad id, user or label; `IMAGE_UNUSABLE` for an image of another
 * platform than the engine's, or whose volumes can't be covered.
 */
export function resolveSpec(input: SpecInput): ContainerSpec {
  const { policy, capabilities, image, sandboxId, user, files, mounts, runnerCommand, labels } = input;
  assertArguments(input);
  assertPlatform(image, capabilities);
  const writable = [
    ...policy.scratch.map(({ path }) => path),
    ...mounts.flatMap((mount) => (mount.readOnly ? [] : [mount.target])),
  ];
  return {
    name: `nanoclaw-${sandboxId}`,
    hostname: sandboxHostname,
    image,
    command: runnerCommand,
    files,
    labels,
    user: { uid: user.uid, gid: user.gid },
    env: {
      ...imageEnvironment(image.config.env, writable),
      HOME: policy.home,
      USER: accountName,
      LOGNAME: accountName,
    },
    // Where PID 1 starts. Commands get the policy's workdir one by one, so that a missing one is an error and not a directory that the engine makes.
    workdir: '/',
    isolation: policy.isolation,
    network: policy.network,
    seccompProfile: seccompProfile(),
    maskedPaths: maskedPaths(capabilities.cpuCount),
    readOnlyPaths,
    scratch: policy.scratch.map(({ path, sizeBytes, inodes, mode, executable }) => ({
      target: path,
      sizeBytes,
      inodes,
      mode,
      executable,
    })),
    sharedMemoryBytes: policy.sharedMemoryBytes,
    sharedMemoryInodes: defaultInodes(policy.sharedMemoryBytes),
    mounts,
    coveredPaths: coveredPaths(image, policy),
    memoryBytes: policy.memoryBytes,
    // Docker refuses more CPUs than its host has; a policy is written for many hosts.
    cpuMillis: Math.min(policy.cpuMillis, Math.max(1, capabilities.cpuCount) * 1000),
    cpuShares: policy.cpuShares,
    pids: policy.pids,
    openFiles: policy.openFiles,
    relaxed: policy.relax,
  };
}

function assertArguments({ sandboxId, user, labels, runnerCommand }: SpecInput): void {
  const problems = new ProblemList();
  if (!/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(sandboxId)) {
    problems.report('sandboxId', `expected 1 to 40 of 'a-z', '0-9' and '-', found ${show(sandboxId)}`);
  }
  for (const id of ['uid', 'gid'] as const) {
    const problem = userIdProblem(user[id]);
    if (problem !== undefined) problems.report(`user.${id}`, problem);
  }
  if (!runnerCommand[0].startsWith('/')) {
    problems.report('runnerCommand[0]', `expected an absolute path, found ${show(runnerCommand[0])}`);
  }
  checkLabels(labels, problems.report);
  if (problems.all.length > 0) throw problemsError('INVALID_ARGUMENT', 'what a container is made of', problems.all);
}

function checkLabels(labels: Readonly<Record<string, string>>, report: Report): void {
  const entries = Object.entries(labels);
  if (entries.length > 64) report('labels', `expected at most 64 labels, found ${entries.length}`);
  for (const [key, value] of entries) {
    if (!/^[a-z0-9](?:[a-z0-9._/-]{0,126}[a-z0-9])?$/.test(key)) {
      report('labels', `expected a key of at most 128 of 'a-z', '0-9', '.', '_', '/', '-', found ${quote(key)}`);
    }
    if (value.length > 1_024 || !value.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value)) {
      report('labels', `expected at most 1024 printable characters for ${quote(key)}, found ${quote(value)}`);
    }
  }
}

function assertPlatform({ platform, reference }: ImageInfo, { architecture, product }: RuntimeCapabilities): void {
  if (platform.os === 'linux' && platform.architecture === architecture) return;
  const found = `${platform.os}/${platform.architecture}`;
  throw createError(
    'IMAGE_UNUSABLE',
    `the image ${quote(reference)} is for ${quote(found)}, and ${product} here runs linux/${architecture}: pull or build it for linux/${architecture}`,
    { cure: `pull or build it for linux/${architecture}` },
  );
}
