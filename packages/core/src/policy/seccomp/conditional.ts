import { allowWhen, equals, maskedEquals, type SeccompRule } from './oci.ts';

// Constants of the kernel's user interface (include/uapi/linux), the same on x86-64 and arm64.

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_SEQPACKET = 5;
/** The bits of a socket's type that aren't flags. */
const SOCK_TYPE_MASK = 0xf;
const IPPROTO_DEFAULT = 0;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const NETLINK_ROUTE = 0;
const PRIO_PROCESS = 0;
const IOPRIO_WHO_PROCESS = 1;

/** A family and a protocol of exactly these values, and a type whatever its flags (close-on-exec, non-blocking). */
const socket = (family: number, type: number, protocol: number): SeccompRule =>
  allowWhen('socket', equals(0, family), maskedEquals(1, SOCK_TYPE_MASK, type), equals(2, protocol));

/**
 * Unix sockets, TCP, UDP, and the netlink protocol with which the C library lists interfaces. Not raw sockets, nor
 * families and protocols (vsock, packet, AF_ALG, SCTP, MPTCP …) whose kernel modules load on first use.
 */
export const socketRules: readonly SeccompRule[] = [
  allowWhen('socket', equals(0, AF_UNIX), maskedEquals(1, SOCK_TYPE_MASK, SOCK_STREAM)),
  allowWhen('socket', equals(0, AF_UNIX), maskedEquals(1, SOCK_TYPE_MASK, SOCK_DGRAM)),
  allowWhen('socket', equals(0, AF_UNIX), maskedEquals(1, SOCK_TYPE_MASK, SOCK_SEQPACKET)),
  ...[AF_INET, AF_INET6].flatMap((family) => [
    socket(family, SOCK_STREAM, IPPROTO_DEFAULT),
    socket(family, SOCK_STREAM, IPPROTO_TCP),
    socket(family, SOCK_DGRAM, IPPROTO_DEFAULT),
    socket(family, SOCK_DGRAM, IPPROTO_UDP),
  ]),
  socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
  socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),
  allowWhen('socketpair', equals(0, AF_UNIX)),
];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME shares its bit with the exit signal: clone can't say it. */
const newNamespaces = 0x7e020000;

/** Processes and threads, but no new namespaces. */
export const cloneRules: readonly SeccompRule[] = [allowWhen('clone', maskedEquals(0, newNamespaces, 0))];

/**
 * Limits, priorities and CPUs of the calling process alone (0 means oneself). By these calls a process may otherwise change any of its own
 * uid, the runner's included, which it could starve or rob of its open files: they ask for equal ids and not for ptrace's rights.
 */
export const ownProcessRules: readonly SeccompRule[] = [
  allowWhen('prlimit64', equals(0, 0)),
  ...['sched_setaffinity', 'sched_setattr', 'sched_setparam', 'sched_setscheduler'].map((name) =>
    allowWhen(name, equals(0, 0)),
  ),
  // Of a process, that is: of a user, "oneself" is everything of the uid.
  allowWhen('setpriority', equals(0, PRIO_PROCESS), equals(1, 0)),
  allowWhen('ioprio_set', equals(0, IOPRIO_WHO_PROCESS), equals(1, 0)),
];

const fileTypeMask = 0xf000;
const S_IFREG = 0x8000;
const S_IFIFO = 0x1000;
const S_IFSOCK = 0xc000;

/** Files, fifos and sockets, but no device nodes (nor overlayfs' whiteouts, which are such). */
export const mknodRules: readonly SeccompRule[] = [0, S_IFREG, S_IFIFO, S_IFSOCK].flatMap((type) => [
  allowWhen('mknod', maskedEquals(1, fileTypeMask, type)),
  allowWhen('mknodat', maskedEquals(2, fileTypeMask, type)),
]);

/** PER_LINUX and PER_LINUX32, each with or without UNAME26, and the value that only asks. */
export const personalityRules: readonly SeccompRule[] = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff].map((persona) =>
  allowWhen('personality', equals(0, persona)),
);

/** Puts characters into a terminal's input, as if its user had typed them. */
const TIOCSTI = 0x5412;
/** The same, and more, on a Linux console. */
const TIOCLINUX = 0x541c;

/** Every ioctl but two. */
export const ioctlRules: readonly SeccompRule[] = allowAllBut('ioctl', 1, TIOCSTI, TIOCLINUX);

/**
 * Allows a call unless the lower 32 bits of an argument are one of two values. The OCI format can't say that directly:
 * "not equal" compares 64 bits, of which the kernel drops the upper half, so that `0x1_0000_5412` would pass (the
 * mistake of CVE-2019-7303); and two comparisons of one argument become "or" in runc. So the complement is listed: some
 * bit differs from what both values have in common, or the bits in which they differ are those of neither.
 */
function allowAllBut(name: string, index: number, first: number, second: number): readonly SeccompRule[] {
  const differing = (first ^ second) >>> 0;
  const rules: SeccompRule[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const mask = 2 ** bit;
    if ((differing & mask) === 0) rules.push(allowWhen(name, maskedEquals(index, mask, (~first & mask) >>> 0)));
  }
  // Every subset of the differing bits: (subset - differing) & differing walks through them in order.
  let subset = 0;
  do {
    if (subset !== (first & differing) >>> 0 && subset !== (second & differing) >>> 0) {
      rules.push(allowWhen(name, maskedEquals(index, differing, subset)));
    }
    subset = ((subset - differing) & differing) >>> 0;
  } while (subset !== 0);
  return rules;
}
