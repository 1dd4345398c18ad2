import { allowedSyscalls } from './allowed.ts';
import { cloneRules, ioctlRules, mknodRules, ownProcessRules, personalityRules, socketRules } from './conditional.ts';
import { absentSyscalls } from './denied.ts';
import type { SeccompProfile } from './oci.ts';

const EPERM = 1;
const ENOSYS = 38;

/**
 * The filter of every sandbox, in the flat form that all engines read alike (`docs/decisions/seccomp-profile.md`):
 * nothing is allowed that isn't named. Only the two native ABIs are listed; a process that makes a 32-bit or an x32 call
 * is killed by the filter, so the list need not be safe for them.
 */
export const profile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
  syscalls: [
    ...Object.values(allowedSyscalls).map((names) => ({ names, action: 'SCMP_ACT_ALLOW', args: [] }) as const),
    ...socketRules,
    ...cloneRules,
    ...mknodRules,
    ...ownProcessRules,
    ...personalityRules,
    ...ioctlRules,
    { names: absentSyscalls, action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, args: [] },
  ],
};

const text = JSON.stringify(profile);

/** The profile as JSON text, for `ContainerSpec.seccompProfile`; always the same text. */
export function seccompProfile(): string {
  return text;
}
