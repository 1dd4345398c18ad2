import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allowedSyscalls } from '../../../src/policy/seccomp/allowed.ts';
import { absentSyscalls, deniedSyscalls } from '../../../src/policy/seccomp/denied.ts';
import { profile, seccompProfile } from '../../../src/policy/seccomp/profile.ts';
import { verdict } from './evaluate.ts';
import { syscallNames } from './syscall-names.ts';

const EPERM = 1;
const ENOSYS = 38;
const allowed = Object.values(allowedSyscalls).flat();
const conditional = [
  'clone',
  'ioctl',
  'mknod',
  'mknodat',
  'personality',
  'socket',
  'socketpair',
  'ioprio_set',
  'prlimit64',
  'sched_setaffinity',
  'sched_setattr',
  'sched_setparam',
  'sched_setscheduler',
  'setpriority',
];
const denied = deniedSyscalls.flatMap(({ names }) => names);

describe('the text', () => {
  test('is stable, and is the profile', () => {
    expect(seccompProfile()).toBe(seccompProfile());
    expect(JSON.parse(seccompProfile())).toEqual(profile);
  });

  test('has nothing that only some engines understand', () => {
    expect(Object.keys(profile).sort()).toEqual(['architectures', 'defaultAction', 'defaultErrnoRet', 'syscalls']);
    for (const rule of profile.syscalls) {
      expect(Object.keys(rule).every((key) => ['names', 'action', 'errnoRet', 'args'].includes(key))).toBe(true);
      for (const argument of rule.args) {
        expect(Object.keys(argument).sort()).toEqual(['index', 'op', 'value', 'valueTwo']);
        expect(argument.op).toBe('SCMP_CMP_MASKED_EQ');
        expect(Number.isSafeInteger(argument.value) && Number.isSafeInteger(argument.valueTwo)).toBe(true);
        // A value with a bit outside of its mask could never match.
        expect(BigInt(argument.value) & BigInt(argument.valueTwo)).toBe(BigInt(argument.valueTwo));
      }
      // runc makes "or" of two conditions on one argument.
      expect(new Set(rule.args.map(({ index }) => index)).size).toBe(rule.args.length);
    }
  });

  test('allows or hides, and denies the rest', () => {
    expect([profile.defaultAction, profile.defaultErrnoRet]).toEqual(['SCMP_ACT_ERRNO', EPERM]);
    expect(profile.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64']);
  });
});

describe('every system call', () => {
  test('has been decided about, once', () => {
    const decided = [...allowed, ...conditional, ...denied, ...absentSyscalls];
    expect(decided.filter((name, index) => decided.indexOf(name) !== index)).toEqual([]);
    expect(syscallNames.filter((name) => !decided.includes(name))).toEqual([]);
    // `umount` is the one name that only arm64's and older libraries have.
    expect(decided.filter((name) => !syscallNames.includes(name))).toEqual(['umount']);
  });

  test('gets the answer that the lists say, whatever its arguments', () => {
    const args = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(args, (values) => {
        expect(allowed.filter((name) => verdict(name, ...values) !== 'allow')).toEqual([]);
        expect(denied.filter((name) => verdict(name, ...values) !== EPERM)).toEqual([]);
        expect(absentSyscalls.filter((name) => verdict(name, ...values) !== ENOSYS)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('that this project is measured by is denied', () => {
    const forbidden =
      'unshare setns mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise kcmp keyctl add_key request_key bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register init_module finit_module delete_module kexec_load kexec_file_load swapon swapoff acct settimeofday clock_settime sethostname setdomainname iopl ioperm quotactl syslog open_by_handle_at name_to_handle_at fanotify_init lookup_dcookie mbind set_mempolicy modify_ldt vmsplice reboot';
    for (const name of forbidden.split(' ')) expect([name, verdict(name)]).toEqual([name, EPERM]);
    expect(verdict('clone3')).toBe(ENOSYS);
    expect(verdict('not_a_call')).toBe(EPERM);
  });
});

describe('arguments', () => {
  const high = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((bits) => bits << 32n);
  const low = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });

  test('ioctl: all but TIOCSTI and TIOCLINUX, whatever the upper half', () => {
    for (const command of [0x5412n, 0x541cn]) {
      fc.assert(fc.property(high, (bits) => verdict('ioctl', 0n, bits | command) === EPERM));
    }
    const near = fc
      .tuple(fc.constantFrom(0x5412n, 0x541cn), fc.integer({ min: 0, max: 31 }))
      .map(([command, bit]) => command ^ (1n << BigInt(bit)));
    fc.assert(
      fc.property(fc.oneof(low, near, fc.bigInt({ min: 0x5400n, max: 0x54ffn })), high, (command, bits) => {
        const expected = command === 0x5412n || command === 0x541cn ? EPERM : 'allow';
        return verdict('ioctl', 0n, bits | command) === expected;
      }),
      { numRuns: 5_000 },
    );
  });

  test('clone: no new namespace, alone or with other flags', () => {
    const namespaces = [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n];
    fc.assert(
      fc.property(
        fc.constantFrom(...namespaces),
        low,
        high,
        (flag, others, bits) => verdict('clone', flag | others | bits) === EPERM,
      ),
    );
    // fork, vfork, and pthread_create of glibc and musl.
    for (const flags of [0x11n, 0x4111n, 0x1200011n, 0x3d0f00n, 0x7d0f00n])
      expect(verdict('clone', flags)).toBe('allow');
  });

  test('socket: unix, TCP, UDP and route netlink', () => {
    const flags = [0n, 0o2000000n, 0o4000n, 0o2004000n];
    const open = new Set([
      '1 1',
      '1 2',
      '1 5',
      '2 1 0',
      '2 1 6',
      '2 2 0',
      '2 2 17',
      '10 1 0',
      '10 1 6',
      '10 2 0',
      '10 2 17',
      '16 3 0',
      '16 2 0',
    ]);
    for (let family = 0n; family < 64n; family++) {
      for (let type = 0n; type < 16n; type++) {
        for (const protocol of [0n, 1n, 2n, 6n, 15n, 17n, 41n, 58n, 115n, 132n, 136n, 255n, 256n, 262n]) {
          const expected = open.has(`${family} ${type}`) || open.has(`${family} ${type} ${protocol}`) ? 'allow' : EPERM;
          for (const flag of flags)
            expect(verdict('socket', family, type | flag, protocol), `${family} ${type} ${protocol}`).toBe(expected);
        }
      }
    }
    fc.assert(
      fc.property(
        high,
        fc.constantFrom(17n, 38n, 40n),
        (bits, family) => verdict('socket', bits | family, 1n, 0n) === EPERM,
      ),
    );
    expect([1n, 2n, 16n, 30n, 40n].map((family) => verdict('socketpair', family, 1n, 0n))).toEqual([
      'allow',
      EPERM,
      EPERM,
      EPERM,
      EPERM,
    ]);
  });

  test('mknod: files, fifos and sockets', () => {
    const types: readonly (readonly [bigint, 'allow' | number])[] = [
      [0n, 'allow'],
      [0x8000n, 'allow'],
      [0x1000n, 'allow'],
      [0xc000n, 'allow'],
      [0x2000n, EPERM],
      [0x6000n, EPERM],
      [0x4000n, EPERM],
      [0xa000n, EPERM],
    ];
    for (const [type, expected] of types) {
      expect(verdict('mknod', 0n, type | 0o777n, 0n)).toBe(expected);
      expect(verdict('mknodat', 0n, 0n, type | 0o777n)).toBe(expected);
    }
  });

  test('personality: what engines allow', () => {
    const open = [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn];
    fc.assert(
      fc.property(
        fc.oneof(low, fc.constantFrom(...open)),
        (persona) => verdict('personality', persona) === (open.includes(persona) ? 'allow' : EPERM),
      ),
    );
  });
});
