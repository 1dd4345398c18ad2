import { profile } from '../../../src/policy/seccomp/profile.ts';

/** What the profile does with a call, by the meaning that the OCI runtime specification gives it; arguments are 64-bit. */
export function verdict(name: string, ...args: readonly bigint[]): 'allow' | number {
  const matching = profile.syscalls.filter(
    (rule) =>
      rule.names.includes(name) &&
      rule.args.every(({ index, value, valueTwo }) => ((args[index] ?? 0n) & BigInt(value)) === BigInt(valueTwo)),
  );
  const actions = new Set(matching.map((rule) => (rule.action === 'SCMP_ACT_ALLOW' ? 'allow' : (rule.errnoRet ?? 1))));
  if (actions.size > 1) throw new Error(`${name}: rules contradict each other`);
  const [action = profile.defaultErrnoRet] = actions;
  return action;
}
