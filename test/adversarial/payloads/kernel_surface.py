"""Every forbidden action of the first section of the corpus, each in a child: prints one JSON object of outcomes."""

import ctypes
import fcntl
import json
import os
import resource
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import attempt, call, libc  # noqa: E402

ACTIONS = {}


def action(name):
    def register(function):
        assert name not in ACTIONS, name
        ACTIONS[name] = function
        return function

    return register


def add(name, function):
    action(name)(function)


def checked(result):
    """For functions of the C library that answer -1."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


CLONE_NEWTIME = 0x80
NAMESPACES = {
    'mount': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000, 'ipc': 0x8000000, 'user': 0x10000000,
    'pid': 0x20000000, 'network': 0x40000000, 'time': CLONE_NEWTIME,
}
SELF_FILES = {
    'mount': 'mnt', 'cgroup': 'cgroup', 'uts': 'uts', 'ipc': 'ipc', 'user': 'user', 'pid': 'pid', 'network': 'net',
}
AT_FDCWD = -100

# 1 setuid0 -----------------------------------------------------------------------------------------------------------
add('setuid(0)', lambda: call('setuid', 0))
add('setgid(0)', lambda: call('setgid', 0))
add('setresuid(0, 0, 0)', lambda: call('setresuid', 0, 0, 0))
add('setgroups([0])', lambda: call('setgroups', 1, ctypes.byref(ctypes.c_uint32(0))))
add('setuid(65534)', lambda: call('setuid', 65534))


@action('chown to root')
def _():
    path = '/workspace/.chown'
    open(path, 'w').close()
    try:
        os.chown(path, 0, 0)
    finally:
        os.unlink(path)


# 2 suid-binary: what an image brings is run by the test itself, since this file isn't in that image -----------------------


@action('run an own setuid file in /workspace')
def _():
    # Owned by us, so at best it is we again; but the bit must not even count, the mount is nosuid.
    import shutil

    shutil.copy('/bin/cat', '/workspace/.suid')
    try:
        os.chmod('/workspace/.suid', 0o6755)
        out = os.popen('/workspace/.suid /proc/self/status').read()
        line = [l for l in out.splitlines() if l.startswith('Uid:')][0]
        return 'uid-unchanged' if line.split()[1:] == [str(os.getuid())] * 4 else line
    finally:
        os.unlink('/workspace/.suid')


# 4 capset ------------------------------------------------------------------------------------------------------------


def capset(effective, permitted, inheritable):
    header = struct.pack('=Ii', 0x20080522, 0)
    data = struct.pack('=IIIIII', effective, permitted, inheritable, 0, 0, 0)
    return call('capset', header, data)


add('capset CAP_SYS_ADMIN', lambda: capset(1 << 21, 1 << 21, 0))
add('capset CAP_CHOWN inheritable', lambda: capset(0, 0, 1))
add('ambient CAP_CHOWN', lambda: call('prctl', 47, 2, 0, 0, 0))
add('securebits', lambda: call('prctl', 28, 1, 0, 0, 0))
# Allowed even with no capability, and of no use: there is nothing to drop.
add('drop CAP_CHOWN from the bounding set', lambda: call('prctl', 24, 0, 0, 0, 0))
add('clear no_new_privs', lambda: call('prctl', 38, 0, 0, 0, 0))


# 5 userns, 6 other-ns, 7 ladder -----------------------------------------------------------------------------------------
SIGCHLD = 17
for _name, _flag in NAMESPACES.items():
    add('unshare ' + _name, lambda flag=_flag: call('unshare', flag))


def clone(flags):
    """clone() as fork; the child ends at once."""
    arguments = (flags | SIGCHLD, 0, 0, 0, 0)
    pid = call('clone', *arguments)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


for _name, _flag in NAMESPACES.items():
    if _name != 'time':
        add('clone ' + _name, lambda flag=_flag: clone(flag))
add('clone without a namespace', lambda: clone(0))


def clone3(flags):
    arguments = struct.pack('=QQQQQQQQQQQ', flags, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0)
    buffer = ctypes.create_string_buffer(arguments)
    pid = call('clone3', ctypes.byref(buffer), 88)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


add('clone3 user', lambda: clone3(NAMESPACES['user']))
add('clone3 without a namespace', lambda: clone3(0))
for _name, _file in SELF_FILES.items():

    def _setns(file=_file, flag=NAMESPACES[_name]):
        with open('/proc/self/ns/' + file) as handle:
            call('setns', handle.fileno(), flag)

    add('setns own ' + _name, _setns)


@action('setns of PID 1 through a pidfd')
def _():
    handle = os.pidfd_open(1)
    call('setns', handle, NAMESPACES['mount'])


@action('write own uid_map')
def _():
    with open('/proc/self/uid_map', 'w') as handle:
        handle.write('0 0 1\n')


@action('the ladder from a user namespace')
def _():
    """Says the first step that fails. CVE-2022-0492 and CVE-2022-0185 need the steps after the first."""
    steps = [
        ('user namespace', lambda: call('unshare', NAMESPACES['user'])),
        ('network namespace', lambda: call('unshare', NAMESPACES['network'])),
        ('mount namespace', lambda: call('unshare', NAMESPACES['mount'])),
        ('cgroup namespace', lambda: call('unshare', NAMESPACES['cgroup'])),
        ('tmpfs', lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, 0)),
        ('cgroup v1', lambda: call('mount', b'none', b'/tmp', b'cgroup', 0, b'memory')),
        ('fsopen ext4', lambda: call('fsopen', b'ext4', 0)),
    ]
    for index, (step, run) in enumerate(steps):
        try:
            run()
        except OSError as error:
            return 'stopped at step %d (%s)' % (index + 1, step)
    return 'went all the way'


# 8 mount --------------------------------------------------------------------------------------------------------------
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
add('mount tmpfs', lambda: call('mount', b'none', b'/workspace', b'tmpfs', 0, 0))
add('mount proc', lambda: call('mount', b'proc', b'/workspace', b'proc', 0, 0))
add('mount sysfs', lambda: call('mount', b'sysfs', b'/workspace', b'sysfs', 0, 0))
add('mount cgroup', lambda: call('mount', b'cgroup', b'/workspace', b'cgroup', 0, b'memory'))
add('mount cgroup2', lambda: call('mount', b'cgroup2', b'/workspace', b'cgroup2', 0, 0))
add('mount overlay', lambda: call('mount', b'o', b'/workspace', b'overlay', 0, b'lowerdir=/etc:/usr'))
add('bind mount', lambda: call('mount', b'/etc', b'/workspace', b'', MS_BIND, 0))
add('remount the root writable', lambda: call('mount', b'', b'/', b'', MS_REMOUNT | MS_BIND, 0))
add('remount /tmp with exec', lambda: call('mount', b'', b'/tmp', b'', MS_REMOUNT | MS_BIND, 0))
add('make / shared', lambda: call('mount', b'', b'/', b'', (1 << 20) | MS_REC, 0))
add('umount /proc/keys', lambda: call('umount2', b'/proc/keys', 2))
add('umount /workspace', lambda: call('umount2', b'/workspace', 2))
add('pivot_root', lambda: call('pivot_root', b'/workspace', b'/workspace'))
add('chroot', lambda: call('chroot', b'/workspace'))

# 9 new-mount-api --------------------------------------------------------------------------------------------------------
add('fsopen tmpfs', lambda: call('fsopen', b'tmpfs', 0))
add('fsopen ext4', lambda: call('fsopen', b'ext4', 0))
add('fsconfig', lambda: call('fsconfig', -1, 0, 0, 0, 0))
add('fsmount', lambda: call('fsmount', -1, 0, 0))
add('fspick', lambda: call('fspick', AT_FDCWD, b'/', 0))
add('open_tree clone', lambda: call('open_tree', AT_FDCWD, b'/', 1))
add('open_tree', lambda: call('open_tree', AT_FDCWD, b'/', 0))
add('move_mount', lambda: call('move_mount', -1, b'', AT_FDCWD, b'/workspace', 4))
add('mount_setattr', lambda: call('mount_setattr', AT_FDCWD, b'/', 0, bytes(32), 32))

# 10 cgroup-write --------------------------------------------------------------------------------------------------------


def write(path, data):
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


def cgroup_files():
    """One directory of version 2, or one for each controller."""
    base = '/sys/fs/cgroup'
    if os.path.exists(base + '/cgroup.procs'):
        return {'memory': base, 'pids': base, 'cpu': base, 'v': 2}
    return {'memory': base + '/memory', 'pids': base + '/pids', 'cpu': base + '/cpu', 'v': 1}


_cgroup = cgroup_files()
_limits = (
    {'memory': 'memory.max', 'pids': 'pids.max', 'cpu': 'cpu.max'}
    if _cgroup['v'] == 2
    else {'memory': 'memory.limit_in_bytes', 'pids': 'pids.max', 'cpu': 'cpu.cfs_quota_us'}
)
for _controller, _file in _limits.items():
    # The value that stands there already, so that it would do no harm where it is allowed.
    def _rewrite(path='%s/%s' % (_cgroup[_controller], _file)):
        with open(path, 'rb') as handle:
            value = handle.read()
        write(path, value)

    add('write the %s limit' % _controller, _rewrite)
add('write cgroup.procs', lambda: write(_cgroup['pids'] + '/cgroup.procs', b'%d' % os.getpid()))
add('write notify_on_release', lambda: write(_cgroup['memory'] + '/notify_on_release', b'0'))


@action('write release_agent')
def _():
    """Of the root of the hierarchy, which is not there where the cgroup namespace is private."""
    write(_cgroup['memory'] + '/release_agent', b'')


add('make a cgroup', lambda: os.mkdir(_cgroup['memory'] + '/child'))
add('make a directory in /sys/fs/cgroup', lambda: os.mkdir('/sys/fs/cgroup/child'))

# 12 ptrace-pid1, 13 ptrace-freeze -------------------------------------------------------------------------------------------
PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_TRACEME = 16, 0x4206, 0


def iovec(address, length):
    return struct.pack('=QQ', address, length)


add('ptrace ATTACH PID 1', lambda: call('ptrace', PTRACE_ATTACH, 1, 0, 0))
add('ptrace SEIZE PID 1', lambda: call('ptrace', PTRACE_SEIZE, 1, 0, 0))
add('ptrace TRACEME', lambda: call('ptrace', PTRACE_TRACEME, 0, 0, 0))


@action('attach to PID 1 and exit')
def _():
    try:
        call('ptrace', PTRACE_ATTACH, 1, 0, 0)
    except OSError:
        pass
    os._exit(7)


@action('state of PID 1')
def _():
    with open('/proc/1/stat') as handle:
        return 'running' if handle.read().rsplit(')', 1)[1].split()[0] in 'SRD' else 'stopped'


def remote_memory(name):
    buffer = ctypes.create_string_buffer(8)
    local = iovec(ctypes.addressof(buffer), 8)
    return call(name, 1, local, 1, iovec(0x400000, 8), 1, 0)


add('process_vm_readv of PID 1', lambda: remote_memory('process_vm_readv'))
add('process_vm_writev to PID 1', lambda: remote_memory('process_vm_writev'))
add('kcmp with PID 1', lambda: call('kcmp', os.getpid(), 1, 2, 0, 0))
add('pidfd_getfd of PID 1', lambda: call('pidfd_getfd', os.pidfd_open(1), 1, 0))
add('process_madvise PID 1', lambda: call('process_madvise', os.pidfd_open(1), iovec(0x400000, 4096), 1, 20, 0))

# 14 proc1-files, 15 forge-frame ---------------------------------------------------------------------------------------------


def opened(path, flags):
    handle = os.open(path, flags)
    os.close(handle)


for _file in ('mem', 'environ', 'maps', 'smaps', 'auxv', 'exe', 'io', 'stack', 'syscall', 'personality', 'pagemap', 'map_files/'):

    def _read(path='/proc/1/' + _file):
        if path.endswith('/'):
            return len(os.listdir(path)) * 0 or None
        handle = os.open(path, os.O_RDONLY)
        os.read(handle, 16)

    add('read /proc/1/' + _file, _read)
add('open /proc/1/mem for writing', lambda: opened('/proc/1/mem', os.O_RDWR))
for _file in ('root', 'cwd', 'exe', 'ns/mnt', 'ns/net', 'ns/pid', 'fd/0'):
    add('follow /proc/1/' + _file, lambda path='/proc/1/' + _file: os.stat(path) and None)
    add('readlink /proc/1/' + _file, lambda path='/proc/1/' + _file: os.readlink(path) and None)
add('list /proc/1/fd', lambda: os.listdir('/proc/1/fd') and None)
add('open /proc/1/root/etc/shadow', lambda: opened('/proc/1/root/etc/shadow', os.O_RDONLY))
add('chdir to /proc/1/cwd', lambda: os.chdir('/proc/1/cwd'))
for _fd in (0, 1, 2, 3, 4, 5, 6, 7):

    def _forge(path='/proc/1/fd/%d' % _fd):
        handle = os.open(path, os.O_WRONLY)
        # A frame of a type that only the host sends: were it to arrive, the connection would end.
        os.write(handle, struct.pack('>IIBB', 8, 0, 3, 0) + b'forgery!')

    add('write a frame to /proc/1/fd/%d' % _fd, _forge)
add('write /proc/1/task/1/fd/1', lambda: opened('/proc/1/task/1/fd/1', os.O_WRONLY))
add('write /proc/1/oom_score_adj', lambda: write('/proc/1/oom_score_adj', b'1000'))
add('write /proc/1/coredump_filter', lambda: write('/proc/1/coredump_filter', b'0'))
add('write /proc/1/clear_refs', lambda: write('/proc/1/clear_refs', b'1'))
add('write /proc/1/comm', lambda: write('/proc/1/comm', b'x'))


def set_limit_of(pid, which):
    """Sets a limit to what it is already."""
    resource.prlimit(pid, which, resource.prlimit(pid, which))


# An equal uid is all that the kernel asks for here, non-dumpable or not: with it a payload could take the runner's files or CPU time away.
add('set a limit of PID 1', lambda: set_limit_of(1, resource.RLIMIT_NOFILE))
add('set the cpu limit of PID 1', lambda: set_limit_of(1, resource.RLIMIT_CPU))
add('set an own limit', lambda: set_limit_of(0, resource.RLIMIT_NOFILE))

# The same holds for its share of the CPUs and disks. To what they are already, so that nothing changes where it is allowed.
PRIO_PROCESS, PRIO_USER, IOPRIO_WHO_PROCESS, IOPRIO_WHO_USER = 0, 2, 1, 3
BEST_EFFORT = (2 << 13) | 4
SCHED_ATTR = struct.pack('=IIQiIQQQ', 48, 0, 0, 0, 0, 0, 0, 0)
add('setpriority of PID 1', lambda: call('setpriority', PRIO_PROCESS, 1, 0))
add('setpriority of all with our uid', lambda: call('setpriority', PRIO_USER, 0, 0))
add('setpriority of all with our uid by number', lambda: call('setpriority', PRIO_USER, os.getuid(), 0))
add('ioprio_set of PID 1', lambda: call('ioprio_set', IOPRIO_WHO_PROCESS, 1, BEST_EFFORT))
add('ioprio_set of all with our uid', lambda: call('ioprio_set', IOPRIO_WHO_USER, 0, BEST_EFFORT))
add('sched_setscheduler of PID 1', lambda: call('sched_setscheduler', 1, 0, struct.pack('=i', 0)))
add('sched_setparam of PID 1', lambda: call('sched_setparam', 1, struct.pack('=i', 0)))
add('sched_setattr of PID 1', lambda: call('sched_setattr', 1, SCHED_ATTR, 0))
add('sched_setaffinity of PID 1', lambda: os.sched_setaffinity(1, os.sched_getaffinity(0)))
add('own priority, policy and CPUs', lambda: (call('setpriority', PRIO_PROCESS, 0, 1), call('sched_setscheduler', 0, 3, struct.pack('=i', 0)), os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})) and None)

# 17 signal-pid1: signals.py

# 19 keyrings --------------------------------------------------------------------------------------------------------------
add('keyctl get session keyring', lambda: call('keyctl', 0, -3, 0, 0, 0))
add('keyctl join session keyring', lambda: call('keyctl', 1, 0, 0, 0, 0))
add('add_key', lambda: call('add_key', b'user', b'nanoclaw', b'x', 1, -2))
add('request_key', lambda: call('request_key', b'user', b'nanoclaw', 0, 0))

# 20 bpf-perf-uffd -----------------------------------------------------------------------------------------------------------
add('bpf map create', lambda: call('bpf', 0, struct.pack('=IIII', 2, 4, 4, 1) + bytes(112), 128))
add('bpf prog load', lambda: call('bpf', 5, bytes(128), 128))
add('perf_event_open', lambda: call('perf_event_open', struct.pack('=IIQ', 1, 128, 0) + bytes(112), 0, -1, -1, 0))
add('userfaultfd 0', lambda: call('userfaultfd', 0))
add('userfaultfd UFFD_USER_MODE_ONLY', lambda: call('userfaultfd', 1))
add('open /dev/userfaultfd', lambda: opened('/dev/userfaultfd', os.O_RDWR))
add('fanotify_init', lambda: call('fanotify_init', 0, 0))
add('lookup_dcookie', lambda: call('lookup_dcookie', 0, 0, 0))

# 21 io_uring ----------------------------------------------------------------------------------------------------------------
add('io_uring_setup', lambda: call('io_uring_setup', 1, ctypes.byref(ctypes.create_string_buffer(120))))
add('io_uring_enter', lambda: call('io_uring_enter', -1, 0, 0, 0, 0, 0))
add('io_uring_register', lambda: call('io_uring_register', -1, 0, 0, 0))

# modes ADJ_SETOFFSET, and microseconds that no clock takes.
ADJTIME = struct.pack('=Ii', 0x100, 0) + bytes(64) + struct.pack('=qq', 0, -1) + bytes(160)
# 22 kernel-admin: with arguments that do nothing where they are allowed ---------------------------------------------------------
add('init_module', lambda: call('init_module', b'x', 1, b''))
add('finit_module', lambda: call('finit_module', -1, b'', 0))
add('delete_module', lambda: call('delete_module', b'nanoclaw_no_such_module', 0x800))
add('kexec_load', lambda: call('kexec_load', 0, 1, 0, 0))
add('kexec_file_load', lambda: call('kexec_file_load', -1, -1, 0, 0, 0))
add('swapon', lambda: call('swapon', b'/workspace/none', 0))
add('swapoff', lambda: call('swapoff', b'/workspace/none'))
add('acct', lambda: call('acct', b'/workspace/none'))
add('settimeofday', lambda: call('settimeofday', struct.pack('=qq', -1, -1), 0))
add('clock_settime', lambda: call('clock_settime', 0, struct.pack('=qq', -1, -1)))
add('adjtimex', lambda: call('adjtimex', ctypes.byref(ctypes.create_string_buffer(ADJTIME))))
add('sethostname', lambda: call('sethostname', b'sandbox', 7))
add('setdomainname', lambda: call('setdomainname', b'(none)', 6))
add('iopl', lambda: call('iopl', 3))
add('ioperm', lambda: call('ioperm', 0x80, 1, 1))
add('modify_ldt', lambda: call('modify_ldt', 0, 0, 0))
add('quotactl', lambda: call('quotactl', 0x800002 << 8, 0, 0, 0))
add('syslog read all', lambda: call('syslog', 3, ctypes.byref(ctypes.create_string_buffer(64)), 64))
add('syslog size', lambda: call('syslog', 10, 0, 0))
add('reboot', lambda: call('reboot', 0, 0, 0, 0))
add('vhangup', lambda: call('vhangup'))
add('mbind', lambda: call('mbind', 0, 0, 0, 0, 0, 0))
add('move_pages of PID 1', lambda: call('move_pages', 1, 0, 0, 0, 0, 0))
add('memfd_secret', lambda: call('memfd_secret', 0))
add('write /proc/sysrq-trigger', lambda: opened('/proc/sysrq-trigger', os.O_WRONLY))
for _file in ('kernel/core_pattern', 'kernel/modprobe', 'kernel/hostname', 'vm/overcommit_memory', 'net/ipv4/ip_forward', 'fs/file-max', 'kernel/shmmax', 'kernel/msgmax', 'fs/mqueue/queues_max'):

    def _sysctl(path='/proc/sys/' + _file):
        with open(path, 'rb') as handle:
            value = handle.read()
        write(path, value)

    add('write /proc/sys/' + _file, _sysctl)
add('write /sys/kernel/uevent_helper', lambda: opened('/sys/kernel/uevent_helper', os.O_WRONLY))
add('write /sys/kernel/mm/transparent_hugepage/enabled', lambda: opened('/sys/kernel/mm/transparent_hugepage/enabled', os.O_WRONLY))
add('write /sys/power/state', lambda: opened('/sys/power/state', os.O_WRONLY))
add('open /sys/kernel/debug', lambda: len(os.listdir('/sys/kernel/debug')))
add('open /sys/kernel/tracing', lambda: len(os.listdir('/sys/kernel/tracing')))



@action('register a pressure trigger')
def _():
    """Of the whole machine: the kernel would tell us when others wait for memory."""
    write('/proc/pressure/memory', b'some 200000 2000000\0')


add('watch the pressure on the machine', lambda: content('/proc/pressure/memory'))
# 23 shocker -----------------------------------------------------------------------------------------------------------------


@action('name_to_handle_at')
def _():
    handle = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0) + bytes(128))
    call('name_to_handle_at', AT_FDCWD, b'/etc/hostname', ctypes.byref(handle), ctypes.byref(ctypes.c_int(0)), 0)


@action('open_by_handle_at inode 2 of the host')
def _():
    # The root directory's inode on ext4: the original "shocker".
    with open('/etc/hostname') as mounted:
        handle = ctypes.create_string_buffer(struct.pack('=IiQ', 8, 1, 2))
        call('open_by_handle_at', mounted.fileno(), ctypes.byref(handle), os.O_RDONLY)


# 24 devices -----------------------------------------------------------------------------------------------------------------
S_IFCHR, S_IFBLK, S_IFREG, S_IFIFO = 0x2000, 0x6000, 0x8000, 0x1000


def mknod(mode, major, minor, path='/workspace/.node'):
    os.mknod(path, mode | 0o600, os.makedev(major, minor))
    os.unlink(path)


add('mknod character 1:1', lambda: mknod(S_IFCHR, 1, 1))
add('mknod character 10:229', lambda: mknod(S_IFCHR, 10, 229))
add('mknod block 8:0', lambda: mknod(S_IFBLK, 8, 0))
add('mknod whiteout 0:0', lambda: mknod(S_IFCHR, 0, 0))
add('mknod in /dev', lambda: mknod(S_IFCHR, 1, 3, '/dev/.node'))
add('mknod fifo', lambda: mknod(S_IFIFO, 0, 0))
for _name in ('mem', 'kmem', 'port', 'kmsg', 'vda', 'sda', 'loop0', 'loop-control', 'kvm', 'fuse', 'net/tun', 'vhost-vsock', 'vsock', 'btrfs-control', 'cpu/0/msr', 'mapper/control', 'console', 'tty0', 'tty1', 'ttyS0', 'snapshot', 'rtc0', 'hpet', 'uinput', 'dri/card0'):
    add('open /dev/' + _name, lambda path='/dev/' + _name: opened(path, os.O_RDWR))

# 25 sockets -----------------------------------------------------------------------------------------------------------------


def make_socket(family, kind, protocol=0):
    return call('socket', family, kind, protocol) * 0 or None


AF = {'UNIX': 1, 'INET': 2, 'AX25': 3, 'IPX': 4, 'X25': 9, 'INET6': 10, 'KEY': 15, 'NETLINK': 16, 'PACKET': 17,
      'RDS': 21, 'PPPOX': 24, 'CAN': 29, 'TIPC': 30, 'BLUETOOTH': 31, 'IUCV': 32, 'RXRPC': 33, 'PHONET': 35,
      'IEEE802154': 36, 'CAIF': 37, 'ALG': 38, 'NFC': 39, 'VSOCK': 40, 'KCM': 41, 'QIPCRTR': 42, 'SMC': 43, 'XDP': 44, 'MCTP': 45}
STREAM, DGRAM, RAW, RDM, SEQPACKET, CLOEXEC = 1, 2, 3, 4, 5, 0o2000000
for _name, _kind in (('PACKET', RAW), ('PACKET', DGRAM), ('VSOCK', STREAM), ('VSOCK', DGRAM), ('VSOCK', SEQPACKET), ('ALG', SEQPACKET), ('TIPC', RDM),
                     ('RDS', SEQPACKET), ('BLUETOOTH', RAW), ('KEY', RAW), ('CAN', RAW), ('PPPOX', STREAM), ('AX25', DGRAM), ('IPX', DGRAM),
                     ('X25', SEQPACKET), ('RXRPC', DGRAM), ('KCM', DGRAM), ('QIPCRTR', DGRAM), ('SMC', STREAM), ('XDP', RAW),
                     ('NFC', SEQPACKET), ('CAIF', STREAM), ('PHONET', DGRAM), ('IEEE802154', DGRAM), ('MCTP', DGRAM)):
    add('socket %s %d' % (_name, _kind), lambda family=AF[_name], kind=_kind: make_socket(family, kind))
add('socket INET RAW icmp', lambda: make_socket(AF['INET'], RAW, 1))
add('socket INET6 RAW icmp6', lambda: make_socket(AF['INET6'], RAW, 58))
add('socket INET DGRAM icmp', lambda: make_socket(AF['INET'], DGRAM, 1))
add('socket INET STREAM sctp', lambda: make_socket(AF['INET'], STREAM, 132))
add('socket INET STREAM mptcp', lambda: make_socket(AF['INET'], STREAM, 262))
add('socket INET DGRAM udplite', lambda: make_socket(AF['INET'], DGRAM, 136))
add('socket INET dccp', lambda: make_socket(AF['INET'], 6, 33))
for _name, _protocol in (('generic', 16), ('netfilter', 12), ('xfrm', 6), ('audit', 9), ('sock_diag', 4), ('kobject_uevent', 15), ('connector', 11), ('crypto', 21), ('rdma', 20)):
    add('netlink ' + _name, lambda protocol=_protocol: make_socket(AF['NETLINK'], RAW, protocol))
# The upper half of an argument is not looked at by the kernel; a filter that compares it could be told something else.
add('socket VSOCK with upper bits', lambda: make_socket((1 << 32) | AF['VSOCK'], STREAM))
add('socket INET RAW with upper bits', lambda: make_socket(AF['INET'], (1 << 32) | RAW | CLOEXEC, 1))
add('socket UNIX with upper bits of VSOCK', lambda: make_socket((AF['VSOCK'] << 32) | AF['UNIX'], STREAM))
add('socketpair VSOCK', lambda: socket.socketpair(40, STREAM) and None)
for _name in ('UNIX', 'INET', 'INET6'):
    add('socket %s STREAM' % _name, lambda family=AF[_name]: make_socket(family, STREAM))
add('netlink route', lambda: make_socket(AF['NETLINK'], RAW, 0))


@action('set an address through netlink')
def _():
    import struct as s

    with socket.socket(16, RAW, 0) as netlink:
        # RTM_NEWLINK of index 1, up and promiscuous.
        message = s.pack('=BBHiII', 0, 0, 0, 1, 0x1, 0x1)
        netlink.send(s.pack('=IHHII', 16 + len(message), 16, 5, 1, 0) + message)
        answer = netlink.recv(4096)
        code = -s.unpack_from('=i', answer, 16)[0]
        if code:
            raise OSError(code, os.strerror(code))


# 27 sched -------------------------------------------------------------------------------------------------------------------
add('setpriority -5', lambda: call('setpriority', 0, 0, -5))
add('SCHED_FIFO', lambda: call('sched_setscheduler', 0, 1, struct.pack('=i', 1)))
add('SCHED_RR', lambda: call('sched_setscheduler', 0, 2, struct.pack('=i', 1)))
add('SCHED_DEADLINE', lambda: checked(libc.syscall(ctypes.c_long({'x86_64': 314}.get(os.uname().machine, 274)), 0, ctypes.c_char_p(struct.pack('=IIQiIQQQ', 48, 6, 0, 0, 0, 10000000, 30000000, 30000000)), 0)))
add('ioprio RT', lambda: call('ioprio_set', 1, 0, (1 << 13) | 4))
for _name in ('NOFILE', 'CORE', 'MEMLOCK', 'MSGQUEUE', 'NICE', 'RTPRIO'):

    def _raise(limit=getattr(resource, 'RLIMIT_' + _name)):
        soft, hard = resource.getrlimit(limit)
        if hard == resource.RLIM_INFINITY:
            return 'unlimited already'
        call('setrlimit', limit, struct.pack('=QQ', soft, hard + 1))

    add('raise RLIMIT_' + _name, _raise)
add('mlockall beyond the limit', lambda: checked(libc.mlock(ctypes.create_string_buffer(b'', 96 << 20), ctypes.c_size_t(96 << 20))))

# 28 oom-adj -----------------------------------------------------------------------------------------------------------------
add('oom_score_adj -1000', lambda: write('/proc/self/oom_score_adj', b'-1000'))
add('oom_score_adj -1', lambda: write('/proc/self/oom_score_adj', b'-1'))
add('oom_score_adj 0', lambda: write('/proc/self/oom_score_adj', b'0'))
add('oom_score_adj 499', lambda: write('/proc/self/oom_score_adj', b'499'))
add('oom_score_adj 1000', lambda: write('/proc/self/oom_score_adj', b'1000'))


# 30 memfd-exec --------------------------------------------------------------------------------------------------------------
@action('memfd and execveat')
def _():
    with open('/bin/true', 'rb') as handle:
        program = handle.read()
    descriptor = os.memfd_create('x', 0)
    os.write(descriptor, program)
    child = os.fork()
    if child == 0:
        try:
            empty = (ctypes.c_char_p * 1)(None)
            call('execveat', descriptor, b'', ctypes.byref(empty), ctypes.byref(empty), 0x1000)
        except OSError as error:
            os._exit(error.errno)
        os._exit(120)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


# 31 noexec ------------------------------------------------------------------------------------------------------------------
def run_from(directory):
    import shutil

    path = directory + '/.true'
    shutil.copyfile('/bin/true', path)
    os.chmod(path, 0o755)
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, ['true'])
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.unlink(path)
    if code:
        raise OSError(code, os.strerror(code))


def map_from(directory):
    import mmap

    path = directory + '/.map'
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(handle, bytes(4096))
        mmap.mmap(handle, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    finally:
        os.unlink(path)


for _directory in ('/tmp', '/dev/shm', '/workspace'):
    add('execute from ' + _directory, lambda directory=_directory: run_from(directory))
    add('map executable from ' + _directory, lambda directory=_directory: map_from(directory))
# A script is read, not executed by the kernel: by design, nothing can stop an interpreter.
add('execute from /dev/mqueue', lambda: run_from('/dev/mqueue'))

# 32 rootfs-write ------------------------------------------------------------------------------------------------------------


@action('directories outside of scratch that can be written')
def _():
    """Tries to create a file in every directory that there is, wherever it lies."""
    found = []
    scratch = ('/workspace', '/tmp', '/dev/shm', '/dev/mqueue', '/proc')
    tried = 0
    for top, directories, _files in os.walk('/'):
        if any(top == s or top.startswith(s + '/') for s in scratch):
            directories[:] = []
            continue
        tried += 1
        path = os.path.join(top, '.nanoclaw-write')
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            os.unlink(path)
            found.append(top)
        except OSError:
            pass
        try:
            os.mkdir(path)
            os.rmdir(path)
            found.append(top + ' (mkdir)')
        except OSError:
            pass
    if tried < 200:
        return 'only %d directories seen' % tried
    return ' '.join(found[:20]) or 'none'


def create(directory):
    path = directory + '/.nanoclaw-write'
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


for _directory in ('/', '/etc', '/usr', '/usr/local/bin', '/run', '/var', '/var/tmp', '/root', '/home', '/dev', '/dev/pts', '/sys', '/proc', '/.nanoclaw', '/opt', '/srv', '/mnt', '/media', '/sys/fs/cgroup'):
    add('create in ' + _directory, lambda directory=_directory: create(directory))
for _file in ('/etc/hosts', '/etc/passwd', '/etc/group', '/etc/resolv.conf', '/etc/hostname', '/etc/shadow', '/etc/ld.so.preload', '/usr/bin/python3.11'):
    add('append to ' + _file, lambda path=_file: opened(path, os.O_WRONLY | os.O_APPEND))
add('rename /etc/hostname', lambda: os.rename('/etc/hostname', '/etc/hostname2'))
add('chmod /bin/true', lambda: os.chmod('/usr/bin/true', 0o777))
add('utime /bin/true', lambda: os.utime('/usr/bin/true', (0, 0)))
add('unlink /bin/true', lambda: os.unlink('/usr/bin/true'))
add('chmod /workspace', lambda: os.chmod('/workspace', 0o700))

# 33 masked ------------------------------------------------------------------------------------------------------------------
MASKED = ('/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug',
          '/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/proc/cmdline', '/proc/config.gz', '/proc/kallsyms', '/proc/key-users',
          '/sys/devices/virtual/powercap', '/sys/firmware', '/sys/kernel/notes', '/sys/kernel/vmcoreinfo',
          '/sys/devices/system/cpu/cpu0/thermal_throttle', '/proc/kmsg', '/proc/kpagecount', '/proc/kpageflags', '/proc/vmallocinfo', '/proc/slabinfo')


def content(path):
    """`empty`, or how much there is."""
    if os.path.isdir(path):
        names = os.listdir(path)
        return 'empty' if not names else '%d entries' % len(names)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return 'empty' if not os.read(handle, 64) else 'readable'


for _path in MASKED:
    add('look at ' + _path, lambda path=_path: content(path))
add('write to a masked file', lambda: opened('/proc/keys', os.O_WRONLY | os.O_APPEND))
add('write to /proc/interrupts', lambda: write('/proc/interrupts', b'x'))

# 35 engine-sockets ----------------------------------------------------------------------------------------------------------
for _path in ('/var/run/docker.sock', '/run/docker.sock', '/run/podman/podman.sock', '/run/containerd/containerd.sock', '/run/docker/containerd/containerd.sock',
              '/run/crio/crio.sock', '/run/buildkit/buildkitd.sock', '/var/run/secrets/kubernetes.io/serviceaccount/token', '/run/systemd/private', '/run/dbus/system_bus_socket'):
    add('engine socket ' + _path, lambda path=_path: os.stat(path) and None)


@action('sockets anywhere')
def _():
    found = []
    for top, directories, files in os.walk('/'):
        if top in ('/proc', '/sys'):
            directories[:] = []
            continue
        for name in files:
            path = os.path.join(top, name)
            try:
                if os.lstat(path).st_mode & 0o170000 == 0o140000:
                    found.append(path)
            except OSError:
                pass
    with open('/proc/net/unix') as handle:
        found += [line.split()[7] for line in handle.read().splitlines()[1:] if len(line.split()) > 7]
    return ' '.join(found) or 'none'


# 38 tty ---------------------------------------------------------------------------------------------------------------------
TIOCSTI, TIOCLINUX, TIOCGWINSZ, TIOCSCTTY = 0x5412, 0x541C, 0x5413, 0x540E
add('TIOCSTI', lambda: call('ioctl', 0, TIOCSTI, b'x'))
add('TIOCLINUX', lambda: call('ioctl', 0, TIOCLINUX, b'\x02'))
add('TIOCSTI with upper bits', lambda: call('ioctl', 0, (1 << 32) | TIOCSTI, b'x'))
add('TIOCLINUX with upper bits', lambda: call('ioctl', 0, (1 << 32) | TIOCLINUX, b'\x02'))
add('open /dev/tty', lambda: opened('/dev/tty', os.O_RDWR))
add('an ordinary ioctl', lambda: fcntl.ioctl(0, 0x5401, bytes(64)) and None)


@action('TIOCSTI on an own terminal')
def _():
    import pty

    _master, slave = pty.openpty()
    call('ioctl', slave, TIOCSTI, b'x')


# 41 CVE-2019-5736, 43 CVE-2024-21626 fds ------------------------------------------------------------------------------------------
add('open /proc/self/exe for writing', lambda: opened('/proc/self/exe', os.O_WRONLY))
add('open /proc/1/exe for writing', lambda: opened('/proc/1/exe', os.O_WRONLY))


def runner_files():
    names = ['/.nanoclaw/' + name for name in os.listdir('/.nanoclaw')]
    if not names:
        raise RuntimeError('no runner')
    return names


@action('open the runner for writing')
def _():
    for path in runner_files():
        opened(path, os.O_WRONLY)


@action('truncate the runner')
def _():
    for path in runner_files():
        os.truncate(path, 0)


@action('replace the runner')
def _():
    for path in runner_files():
        os.rename('/bin/true', path)


@action('remove the runner')
def _():
    for path in runner_files():
        os.unlink(path)


@action('link the runner')
def _():
    for path in runner_files():
        os.link(path, '/workspace/.link')


@action('run the runner again')
def _():
    """As a payload it is nothing: it may not speak, nor disturb the first."""
    import subprocess

    ended = subprocess.run(runner_files()[:1], stdin=subprocess.DEVNULL, capture_output=True, timeout=4)
    return 'silent' if ended.stdout == b'' else 'wrote %r' % ended.stdout[:40]


@action('script whose interpreter is /proc/self/exe')
def _():
    path = '/workspace/.script'
    with open(path, 'w') as handle:
        handle.write('#!/proc/self/exe\n')
    os.chmod(path, 0o755)
    try:
        child = os.fork()
        if child == 0:
            try:
                os.execv(path, [path])
            except OSError as error:
                os._exit(error.errno)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return 'exit %d' % code
    finally:
        os.unlink(path)


# 45 CVE-2025-52565, 46 CVE-2025-52881 -----------------------------------------------------------------------------------------------
@action('mounts of the host that can be written')
def _():
    """Whether any mount comes from a disk of the host and is writable, or is shared with anybody."""
    bad = []
    with open('/proc/self/mountinfo') as handle:
        for line in handle:
            left, right = line.split(' - ')
            fields = left.split()
            kind = right.split()[0]
            if kind not in ('tmpfs', 'proc', 'sysfs', 'cgroup', 'cgroup2', 'devpts', 'mqueue') and 'rw' in fields[5].split(','):
                bad.append(fields[4])
            if any(field.startswith('shared:') for field in fields[6:]):
                bad.append(fields[4] + ' (shared)')
    return ' '.join(bad) or 'none'


# network --------------------------------------------------------------------------------------------------------------------
@action('interfaces')
def _():
    return ' '.join(name for _index, name in socket.if_nameindex())


@action('routes')
def _():
    with open('/proc/net/route') as handle:
        rows = handle.read().splitlines()[1:]
    with open('/proc/net/ipv6_route') as handle:
        rows += [row for row in handle.read().splitlines() if not row.endswith(' lo')]
    return len(rows)


@action('bring lo down')
def _():
    with socket.socket(2, 2) as handle:
        request = struct.pack('16sH14s', b'lo', 0, b'')
        fcntl.ioctl(handle, 0x8914, request)


def guarded_connect(family, address, kind=STREAM):
    """A packet can't leave where there is neither an interface nor a route; without that nothing is sent."""
    if [name for _index, name in socket.if_nameindex()] != ['lo'] or ACTIONS['routes']() != 0:
        raise RuntimeError('there is a way out; nothing was sent')
    with socket.socket(family, kind) as handle:
        handle.settimeout(2)
        handle.connect(address)


# 198.51.100.0/24 and 2001:db8::/32 are documentation's own.
add('connect to 198.51.100.8:80', lambda: guarded_connect(2, ('198.51.100.8', 80)))
add('udp to 198.51.100.8:53', lambda: guarded_connect(2, ('198.51.100.8', 53), DGRAM))
add('connect to 2001:db8::8', lambda: guarded_connect(10, ('2001:db8::8', 80)))


@action('loopback works')
def _():
    with socket.socket(2, STREAM) as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        with socket.create_connection(server.getsockname(), 2) as client:
            peer, _ = server.accept()
            client.send(b'x')
            return peer.recv(1) == b'x'


# ----------------------------------------------------------------------------------------------------------------------------
if __name__ == '__main__':
    names = sys.argv[1:] or list(ACTIONS)
    print(json.dumps({name: attempt(ACTIONS[name], 20.0) for name in names}))
