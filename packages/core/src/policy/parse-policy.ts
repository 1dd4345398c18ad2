import type { z } from 'zod';
import { createError } from '../errors/nanoclaw-error.ts';
import { decidePolicy } from './defaults.ts';
import { copyPlainData } from './plain-data.ts';
import type { Policy } from './policy.ts';
import type { PresetName } from './policy-input.ts';
import { checkPreset, presets } from './presets.ts';
import { formatPath, ProblemList, problemsError, type Report } from './problems.ts';
import { rules } from './rules.ts';
import { type PolicyFields, policyFields, policySchema } from './schema.ts';
import { quote, show } from './show.ts';

/**
 * Makes a policy of what a user wrote: the name of a preset, or an object of fields (see `PolicyInput`), which may name
 * the preset that it starts from. `undefined` and `{}` are the preset `default`. The result is deeply frozen; nothing of
 * the input is kept.
 *
 * @throws NanoclawError `INVALID_POLICY`, whose `details.problems` lists every problem with its path.
 */
export function parsePolicy(input: unknown = {}): Policy {
  const problems = new ProblemList();
  const policy = read(input, problems);
  if (problems.all.length > 0) throw problemsError('INVALID_POLICY', 'the policy', problems.all);
  if (policy === undefined) throw createError('INVALID_POLICY', 'the policy is not valid', { problems: [] });
  return deepFreeze(policy);
}

function read(input: unknown, problems: ProblemList): Policy | undefined {
  const { report } = problems;
  const written = copyPlainData(typeof input === 'string' ? { preset: input } : input, report);
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    if (problems.all.length === 0)
      report('', `expected an object of fields or the name of a preset, found ${show(input)}`);
    return undefined;
  }
  const fields = readFields(written, report);
  const preset = fields.preset ?? 'default';
  const policy = decidePolicy({ ...presetFields(preset), ...fields }, preset);
  for (const { fields: involved, check } of rules) {
    if (!involved.some((field) => problems.touches(field))) check(policy, report);
  }
  checkPreset(policy, report);
  return policy;
}

function presetFields(preset: PresetName): PolicyFields {
  return policySchema.parse(presets[preset]);
}

/** The fields that are valid; the others are reported. */
function readFields(written: object, report: Report): PolicyFields {
  const whole = policySchema.safeParse(written, { reportInput: true });
  if (whole.success) return whole.data;
  for (const issue of whole.error.issues) reportIssue(issue, [], report);
  const valid = Object.entries(policyFields).flatMap(([name, schema]) => {
    const value: unknown = Object.hasOwn(written, name) ? Reflect.get(written, name) : undefined;
    return value !== undefined && schema.safeParse(value).success ? [[name, value] as const] : [];
  });
  return policySchema.parse(Object.fromEntries(valid));
}

function reportIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[], report: Report): void {
  const at = [...above, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys) report(formatPath([...at, key]), unknownField(key, at.length === 0));
      return;
    case 'invalid_union': {
      // Of user's two forms the one that was meant is the object, where it is one.
      const meant = issue.errors.find((branch) =>
        branch.some(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
      );
      if (meant === undefined)
        report(formatPath(at), `expected 'auto', 'uid:gid' or {uid, gid}, found ${show(issue.input)}`);
      else for (const inner of meant) reportIssue(inner, at, report);
      return;
    }
    case 'invalid_type':
      report(
        formatPath(at),
        `expected ${issue.expected === 'array' ? 'a list' : 'an object of fields'}, found ${show(issue.input)}`,
      );
      return;
    case 'too_big':
      report(formatPath(at), `expected at most ${issue.maximum} entries, found ${show(issue.input)}`);
      return;
    default:
      report(formatPath(at), issue.message);
  }
}

const namesElsewhere: Readonly<Record<string, string>> = {
  memLimit: 'memory',
  mem_limit: 'memory',
  cpu: 'cpus',
  cpu_shares: 'cpuShares',
  timeout: 'execTimeout',
  pidsLimit: 'pids',
  tmpfs: 'scratch',
  shmSize: 'sharedMemory',
  volumes: 'mounts',
  allowedHosts: 'egress',
  allowed_hosts: 'egress',
};

function unknownField(key: string, top: boolean): string {
  const names = Object.keys(policyFields);
  const meant = Object.hasOwn(namesElsewhere, key)
    ? namesElsewhere[key]
    : names.find((name) => name.toLowerCase() === key.toLowerCase());
  if (!top) return `${quote(key)} is not a field here`;
  return meant === undefined
    ? `${quote(key)} is not a field of a policy; there are ${names.join(', ')}`
    : `${quote(key)} is not a field of a policy; did you mean '${meant}'?`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
