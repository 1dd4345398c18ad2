/** How one argument of a system call is compared; the names are those of the OCI runtime specification. */
export interface SeccompArgument {
  /** Which argument, from 0. */
  readonly index: number;
  /** What it is compared with; the mask for `SCMP_CMP_MASKED_EQ`. */
  readonly value: number;
  /** What the masked argument must equal; 0 for `SCMP_CMP_EQ`. */
  readonly valueTwo: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
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

/** The argument is exactly this, in all of its 64 bits. */
export function equals(index: number, value: number): SeccompArgument {
  return { index, value, valueTwo: 0, op: 'SCMP_CMP_EQ' };
}

/** The bits of the mask are exactly these; the others don't matter. */
export function maskedEquals(index: number, mask: number, value: number): SeccompArgument {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

/** A rule that allows a call when the arguments match. */
export function allowWhen(name: string, ...args: readonly SeccompArgument[]): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args };
}
