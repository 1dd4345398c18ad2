import { z } from 'zod';
import { controlNames, isolationLevels, networkTiers } from '../runtime/controls.ts';
import { mountPointProblem, workdirProblem } from './container-path.ts';
import { boolean, cpus, duration, durationOrOff, integer, mode, oneOf, path, size, userId } from './fields.ts';
import { mountSourceProblem } from './mount-rules.ts';
import { presetNames } from './policy-input.ts';
import { quote, show } from './show.ts';

const kib = 2 ** 10;
const mib = 2 ** 20;
const tib = 2 ** 40;
const second = 1_000;
const hour = 3_600_000;

const explicitUser = z.strictObject({ uid: userId, gid: userId });

/** `'auto'`, `'uid:gid'` or `{uid, gid}`. */
const user = z.preprocess(
  (input) => {
    const match = typeof input === 'string' ? /^(\d{1,10}):(\d{1,10})$/.exec(input) : null;
    return match === null ? input : { uid: Number(match[1]), gid: Number(match[2]) };
  },
  z.union([z.literal('auto'), explicitUser]),
);

/** `'memory'`; `'disk'` is a word that we keep for when an engine can bound it. */
const medium = z
  .custom<unknown>(() => true)
  .transform((input, context): 'memory' => {
    if (input === 'memory') return input;
    const message =
      input === 'disk'
        ? "'disk' isn't supported: no engine bounds a writable directory on disk yet; use 'memory'"
        : `expected 'memory', found ${show(input)}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const scratch = z.strictObject({
  path: path(mountPointProblem),
  size: size(64 * kib, 16 * tib),
  inodes: integer(16, 1_048_576).optional(),
  executable: boolean.optional(),
  mode: mode.optional(),
  medium: medium.optional(),
});

const mount = z.preprocess(
  (input, context) => {
    if (typeof input !== 'string') return input;
    const [source, target, access = 'ro', ...rest] = input.split(':');
    if (rest.length === 0 && target !== undefined && (access === 'ro' || access === 'rw')) {
      return { source, target, readOnly: access === 'ro' };
    }
    context.addIssue({
      code: 'custom',
      message: `expected 'source:target', with ':ro' or ':rw', found ${quote(input)}`,
    });
    return z.NEVER;
  },
  z.strictObject({ source: path(mountSourceProblem), target: path(mountPointProblem), readOnly: boolean.optional() }),
);

/** Anything but an empty list is refused; see `docs/policy.md`. */
const egress = z
  .custom<unknown>(() => true)
  .transform((input, context): readonly never[] => {
    if (Array.isArray(input) && input.length === 0) return [];
    const message = `opening egress isn't supported by this version: nothing can be reached from a sandbox; leave it out or write [], found ${show(input)}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

/** The fields of a policy, each with its grammar and bounds. Defaults and rules across fields are elsewhere. */
export const policyFields = {
  preset: oneOf(presetNames).optional(),
  user: user.optional(),
  memory: size(32 * mib, 16 * tib).optional(),
  workingSet: size(1 * mib, 16 * tib).optional(),
  cpus: cpus.optional(),
  cpuShares: integer(2, 262_144).optional(),
  pids: integer(8, 32_768).optional(),
  openFiles: integer(16, 1_048_576).optional(),
  scratch: z.array(scratch).max(16).optional(),
  sharedMemory: size(64 * kib, 16 * tib).optional(),
  workdir: path(workdirProblem).optional(),
  home: path(workdirProblem).optional(),
  execTimeout: duration(1, 24 * hour).optional(),
  lifetime: duration(1 * second, 168 * hour).optional(),
  idle: durationOrOff(1 * second, 168 * hour).optional(),
  isolation: oneOf(isolationLevels).optional(),
  network: oneOf(networkTiers).optional(),
  mounts: z.array(mount).max(64).optional(),
  egress: egress.optional(),
  relax: z.array(oneOf(controlNames)).max(controlNames.length).optional(),
} as const;

/** The schema of a policy file: strict, an unknown field is an issue. */
export const policySchema = z.strictObject(policyFields);

/** What the schema makes of an input: the fields that were given, in bytes, milliseconds and thousandths. */
export type PolicyFields = z.output<typeof policySchema>;
