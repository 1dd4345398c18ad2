"""Tries forbidden things, each in a child of its own, and says with what error each one failed. No dependencies."""

import ctypes
import errno
import os
import platform
import signal
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

MACHINE = platform.machine()
# Set in the container without any hardening in which the same actions show that they can succeed.
UNHARDENED = os.environ.get('NANOCLAW_UNHARDENED') == '1'

# Numbers of include/uapi/asm/unistd, for what the C library has no function for. (x86-64, arm64)
NUMBERS = {
    'accept4': (288, 242), 'acct': (163, 89), 'add_key': (248, 217), 'adjtimex': (159, 171), 'bpf': (321, 280),
    'chroot': (161, 51), 'clock_settime': (227, 112), 'clone': (56, 220), 'clone3': (435, 435),
    'delete_module': (176, 106), 'execveat': (322, 281), 'fanotify_init': (300, 262), 'finit_module': (313, 273),
    'fsconfig': (431, 431), 'fsmount': (432, 432), 'fsopen': (430, 430), 'fspick': (433, 433),
    'init_module': (175, 105), 'io_uring_enter': (426, 426), 'io_uring_register': (427, 427),
    'io_uring_setup': (425, 425), 'ioprio_set': (251, 30), 'kcmp': (312, 272), 'kexec_file_load': (320, 294),
    'kexec_load': (246, 104), 'keyctl': (250, 219), 'memfd_create': (319, 279), 'memfd_secret': (447, 447),
    'mknodat': (259, 33), 'mount': (165, 40), 'mount_setattr': (442, 442), 'move_mount': (429, 429),
    'name_to_handle_at': (303, 264), 'open_by_handle_at': (304, 265), 'open_tree': (428, 428),
    'perf_event_open': (298, 241), 'pidfd_getfd': (438, 438), 'pidfd_open': (434, 434), 'pivot_root': (155, 41),
    'process_vm_readv': (310, 270), 'process_vm_writev': (311, 271), 'ptrace': (101, 117), 'quotactl': (179, 60),
    'reboot': (169, 142), 'request_key': (249, 218), 'sched_setscheduler': (144, 119), 'sched_setparam': (142, 118), 'sched_setattr': (314, 274), 'setdomainname': (171, 162),
    'setgid': (106, 144), 'setgroups': (116, 159), 'sethostname': (170, 161), 'setns': (308, 268),
    'settimeofday': (164, 170), 'setuid': (105, 146), 'setresuid': (117, 147), 'swapoff': (168, 225),
    'swapon': (167, 224), 'syslog': (103, 116), 'umount2': (166, 39), 'unshare': (272, 97), 'userfaultfd': (323, 282),
    'capset': (126, 91), 'prctl': (157, 167), 'setpriority': (141, 140), 'iopl': (172, None), 'ioperm': (173, None),
    'modify_ldt': (154, None), 'vhangup': (153, 58), 'mbind': (237, 235), 'move_pages': (279, 239),
    'lookup_dcookie': (212, 18), 'socket': (41, 198), 'ioctl': (16, 29), 'setrlimit': (160, 164),
    'personality': (135, 92), 'pidfd_send_signal': (424, 424), 'process_madvise': (440, 440),
}


def number(name):
    value = NUMBERS[name][0 if MACHINE == 'x86_64' else 1]
    if value is None:
        raise OSError(errno.ENOSYS, 'no such call on this architecture')
    return value


def call(name, *arguments):
    """Makes a system call by number; raises OSError where the kernel says no."""
    converted = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number(name)), *converted)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def attempt(action, seconds=5.0):
    """
    Runs the action in a child. Answers the errno's name; `ok`, or `ok:` and what the action returned; `timeout`;
    `SIGSYS` and so on where a signal ended the child; `raised:` and the exception for a mistake of ours.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            if UNHARDENED:
                # What one action mounts must not be what the next one finds.
                call('unshare', 0x20000)
                call('mount', b'', b'/', b'', (1 << 18) | 16384, 0)
            value = action()
            said = 'ok' if value is None or value is True else 'ok:%s' % (value,)
        except OSError as error:
            said = errno.errorcode.get(error.errno, 'raised:%r' % (error,)) if error.errno else 'raised:%r' % (error,)
        except BaseException as error:
            said = 'raised:%r' % (error,)
        try:
            os.write(writing, said.encode('utf8', 'backslashreplace')[:8192])
        finally:
            os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if done != 0:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            return 'timeout'
        time.sleep(0.0005)
    if os.WIFSTOPPED(status):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        return 'stopped'
    # Nothing else holds the other end but a grandchild, which is not waited for.
    os.set_blocking(reading, False)
    try:
        said = os.read(reading, 8192).decode()
    except BlockingIOError:
        said = ''
    os.close(reading)
    if said:
        return said
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return 'exited:%d' % os.WEXITSTATUS(status)
