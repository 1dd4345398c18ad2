"""Makes every system call of this architecture with arguments that do no harm: prints what the sandbox says of each."""

import ctypes
import json
import os
import platform
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import attempt, libc  # noqa: E402
from syscall_numbers import ARM64, X86_64  # noqa: E402

NUMBERS = X86_64 if platform.machine() == 'x86_64' else ARM64
BAD = -1
FORKS = {'fork', 'vfork', 'clone'}
SIGCHLD = 17

# What -1 six times would not tell apart: a filter that looks at arguments, or a kernel that answers EPERM or ENOSYS itself.
ARGUMENTS = {
    'fork': (),
    'clone': (SIGCHLD, 0, 0, 0, 0),
    'clone3': (BAD, 0),
    'futex': (0, 1, 1, 0, 0, 0),
    'futex_wake': (BAD, 1, 1, 2),
    'futex_wait': (BAD, 1, 1, 2, BAD, 0),
    'futex_waitv': (BAD, 1, 0, BAD, 0),
    'kill': (os.getpid(), 0),
    'mknod': (BAD, 0o10600, 0),
    'mknodat': (-100, BAD, 0o10600, 0),
    'mlock': (0, 0),
    'mlock2': (0, 0, 0),
    'mlockall': (0,),
    'personality': (0xFFFFFFFF,),
    'pidfd_send_signal': (BAD, 0, 0, 0),
    'prlimit64': (0, 7, 0, 0),
    'setgroups': (0, 0),
    'setpriority': (0, 0, 19),
    'setrlimit': (4, BAD),
    'socket': (1, 1, 0),
    'socketpair': (1, 1, 0, BAD),
    'sched_setscheduler': (0, 0, BAD),
    'sched_setparam': (0, BAD),
    'sched_setattr': (0, BAD, 0),
    'sched_setaffinity': (0, 8, BAD),
    'ioprio_set': (1, 0, 0),
    'capset': (BAD, BAD),
    'pause': (),
    'truncate': (BAD, 0),
    'ustat': (0, BAD),
    'sysfs': (3,),
    'landlock_create_ruleset': (0, 0, 1),
    'rt_sigqueueinfo': (0, 0, BAD),
    'rt_tgsigqueueinfo': (0, 0, 0, BAD),
    'setdomainname': (BAD, 1),
    'sethostname': (BAD, 1),
    'syslog': (10, 0, 0),
    'reboot': (0, 0, 0, 0),
    'acct': (BAD,),
    'mbind': (0, 0, 0, 0, 0, 0),
    'uselib': (BAD,),
    'vhangup': (),
    'umask': (0o22,),
    'io_pgetevents': (BAD, 0, 0, 0, 0, 0),
    'pkey_alloc': (BAD, BAD),
    'map_shadow_stack': (BAD, 0, BAD),
}

# Calls that are decided by their arguments, a row for each decision.
SPECIAL = {
    'clone CLONE_NEWUSER': ('clone', 0x10000000 | SIGCHLD, 0, 0, 0, 0),
    'clone CLONE_NEWNS': ('clone', 0x20000 | SIGCHLD, 0, 0, 0, 0),
    'clone CLONE_NEWNET': ('clone', 0x40000000 | SIGCHLD, 0, 0, 0, 0),
    'personality PER_LINUX': ('personality', 0),
    'personality PER_LINUX32': ('personality', 8),
    'personality ADDR_NO_RANDOMIZE': ('personality', 0x40000),
    'personality READ_IMPLIES_EXEC': ('personality', 0x400000),
    'personality PER_SVR4': ('personality', 1),
    'mknodat character': ('mknodat', -100, BAD, 0o20600, 0x101),
    'mknodat block': ('mknodat', -100, BAD, 0o60600, 0x800),
    'mknodat socket': ('mknodat', -100, BAD, 0o140600, 0),
    'ioctl TIOCSTI': ('ioctl', BAD, 0x5412, 0),
    'ioctl TIOCLINUX': ('ioctl', BAD, 0x541C, 0),
    'ioctl TIOCCONS': ('ioctl', BAD, 0x541D, 0),
    'ioctl TIOCGWINSZ': ('ioctl', BAD, 0x5413, 0),
    'ioctl FICLONE': ('ioctl', BAD, 0x40049409, 0),
    'prlimit64 of another process': ('prlimit64', 1, 7, 0, 0),
    'sched_setaffinity of another process': ('sched_setaffinity', 1, 8, BAD),
    'sched_setscheduler of another process': ('sched_setscheduler', 1, 0, BAD),
    'setpriority of a user': ('setpriority', 2, 0, 19),
    'setpriority of another process': ('setpriority', 0, 1, 19),
    'ioprio_set of a user': ('ioprio_set', 3, 0, 0),
    'prctl PR_SET_DUMPABLE': ('prctl', 4, 1, 0, 0, 0),
    'prctl PR_SET_PTRACER': ('prctl', 0x59616D61, 0, 0, 0, 0),
    'prctl PR_SET_MM': ('prctl', 35, BAD, BAD, BAD, BAD),
    'prctl PR_SET_CHILD_SUBREAPER': ('prctl', 36, 1, 0, 0, 0),
    'prctl PR_SET_SECCOMP': ('prctl', 22, BAD, 0, 0, 0),
    'prctl PR_MCE_KILL': ('prctl', 33, BAD, 0, 0, 0),
    'socketpair VSOCK': ('socketpair', 40, 1, 0, BAD),
    'an unknown call': (500, BAD, BAD, BAD, BAD, BAD, BAD),
    'another unknown call': (1023, BAD, BAD, BAD, BAD, BAD, BAD),
}
for _family in list(range(0, 47)) + [255]:
    for _kind, _word in ((1, 'STREAM'), (2, 'DGRAM'), (3, 'RAW'), (5, 'SEQPACKET')):
        SPECIAL['socket %d %s' % (_family, _word)] = ('socket', _family, _kind, 0)


def make(number, arguments, forks):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    if forks and result == 0:
        os._exit(0)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def outcome(number, arguments, forks=False):
    said = attempt(lambda: make(number, arguments, forks), 0.5)
    return said if said in ('EPERM', 'ENOSYS', 'SIGSYS') else 'allowed'


def machine_code(code):
    """Runs bytes of code, which are to return."""
    import mmap

    area = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


found = {}
for name, number in NUMBERS.items():
    # With the default action of SIGSYS a filter that kills shows as that.
    found[name] = outcome(number, ARGUMENTS.get(name, (BAD,) * 6), name in FORKS)
for name, (call, *arguments) in SPECIAL.items():
    number = call if isinstance(call, int) else NUMBERS[call]
    found[name] = outcome(number, arguments, call in FORKS)
if platform.machine() == 'x86_64':
    # Other doors into the same kernel: the x32 numbers, and the 32-bit gate.
    found['x32 getpid'] = attempt(lambda: make(0x40000000 | 39, (), False))
    found['x32 unshare'] = attempt(lambda: make(0x40000000 | 272, (0x10000000,), False))
    # mov eax, 20 (getpid); int 0x80; ret
    found['int 0x80 getpid'] = attempt(lambda: machine_code(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3') and None)
    # mov eax, 310 (unshare); mov ebx, CLONE_NEWUSER; int 0x80, with rbx kept
    found['int 0x80 unshare'] = attempt(lambda: machine_code(b'\x53\xb8\x36\x01\x00\x00\xbb\x00\x00\x00\x10\xcd\x80\x5b\xc3') and None)
print(json.dumps(found))
