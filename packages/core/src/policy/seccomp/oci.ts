/** How one argument of a system call is compared; the names are those of the OCI runtime specification. */
export interface SeccompArgument {
  /** Which argument, from 0. */
  readonly index: number;
  /** The bits of it that count. */
  readonly value: number;
  /** What these bits must be. */
  readonly valueTwo: number;
  readonly op: 'SCMP_CMP_MASKED_EQ';
}

/**
 * What happens to some system calls. Arguments of one rule must all match, and no two of them may name the same
 * argument: runc turns such a pair from "and" into "or".
 */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args: readonly SeccompArgument[];
}

/** `linux.seccomp` of the OCI runtime specification, the part of it that every engine reads alike. */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/**
 * The argument is this. Arguments are 64 bits wide for a filter, but the kernel takes these as `int` and drops the upper
 * half, whatever a compiler left there; so the lower half is what is compared.
 */
export function equals(index: number, value: number): SeccompArgument {
  return maskedEquals(index, 0xffffffff, value);
}

/** The bits of the mask are exactly these; the others don't matter. */
export function maskedEquals(index: number, mask: number, value: number): SeccompArgument {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

/** A rule that allows a call when the arguments match. */
export function allowWhen(name: string, ...args: readonly SeccompArgument[]): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args };
}
