"""Takes as much of one thing as there is, and prints one JSON object of what stopped it. The mode is the first argument."""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
MIB = 1 << 20


def said(**facts):
    print(json.dumps(facts), flush=True)


def name(error):
    return errno.errorcode.get(error.errno, str(error))


def processes():
    """Forks children that wait, until the kernel says no."""
    children = []
    try:
        while len(children) < 100_000:
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
        stopped = 'none'
    except OSError as error:
        stopped = name(error)
    said(made=len(children), stopped=stopped)
    if len(sys.argv) > 2:
        time.sleep(float(sys.argv[2]))
    for child in children:
        os.kill(child, signal.SIGKILL)


def bomb():
    """The classic, in Python's clothes: every process forks for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('lit', flush=True)
    while True:
        try:
            os.fork()
        except OSError:
            pass


def memory():
    held = []
    print('growing', flush=True)
    while True:
        held.append(bytearray(8 * MIB))
        for offset in range(0, 8 * MIB, 4096):
            held[-1][offset] = 1


def many_hogs():
    """Ten processes, each less than PID 1's score, that together take more than there is: the kernel may take PID 1."""
    path = '/proc/self/oom_score_adj'
    try:
        with open(path, 'w') as handle:
            handle.write('0')
        adjusted = 'ok'
    except OSError as error:
        adjusted = name(error)
    said(adjusted=adjusted)
    for _ in range(12):
        if os.fork() == 0:
            held = bytearray(48 * MIB)
            for offset in range(0, len(held), 4096):
                held[offset] = 1
            time.sleep(600)
    time.sleep(600)


def fill(path):
    """Writes one file as long as there is room."""
    written = 0
    block = b'x' * MIB
    stopped = 'none'
    with open(path + '/fill', 'wb', buffering=0) as handle:
        try:
            while written < 4096 * MIB:
                written += handle.write(block)
        except OSError as error:
            stopped = name(error)
    said(written=written, stopped=stopped)


def inodes(path):
    count = 0
    stopped = 'none'
    os.makedirs(path + '/inodes')
    try:
        while count < 1_000_000:
            os.close(os.open('%s/inodes/%d' % (path, count), os.O_CREAT | os.O_WRONLY))
            count += 1
    except OSError as error:
        stopped = name(error)
    said(count=count, stopped=stopped)


def files():
    handles = []
    stopped = 'none'
    try:
        while len(handles) < 1_000_000:
            handles.append(os.open('/dev/null', os.O_RDONLY))
    except OSError as error:
        stopped = name(error)
    said(open=len(handles) + 3, stopped=stopped)
    sys.stdin.read()


def fill_pipe():
    import fcntl

    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, 1031, MIB)
    except OSError:
        pass
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b'x' * 65536)
    except BlockingIOError:
        pass
    return reading, writing


def fill_socket():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
    try:
        while True:
            one.send(b'x' * 32768)
    except BlockingIOError:
        pass
    return one, other


def fill_inotify():
    handle = libc.inotify_init()
    if handle < 0:
        raise OSError(ctypes.get_errno(), 'inotify_init')
    for index in range(100):
        path = '/tmp/watched%d' % index
        if not os.path.exists(path):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        if libc.inotify_add_watch(handle, path.encode(), 0xFFF) < 0:
            raise OSError(ctypes.get_errno(), 'inotify_add_watch')
    return handle


def fill_epoll():
    import select

    poll = select.epoll()
    for _ in range(200):
        poll.register(os.eventfd(0))
    return poll


def fill_locks():
    import fcntl

    handle = os.open('/tmp/locked%d' % os.getpid(), os.O_CREAT | os.O_RDWR)
    # Each second byte: locks that can't be joined.
    for index in range(2_000):
        fcntl.lockf(handle, fcntl.LOCK_EX, 1, 2 * index)
    return handle


def fill_dentries(serial=[0]):
    serial[0] += 1
    for index in range(2_000):
        try:
            os.stat('/tmp/no-such-%d-%d-%d' % (os.getpid(), serial[0], index))
        except FileNotFoundError:
            pass
    return None


def fill_memfd():
    handle = os.memfd_create('x')
    os.ftruncate(handle, 64 * MIB)
    for _ in range(64):
        os.write(handle, b'x' * MIB)
    return handle


def fill_signals():
    """Queues signals that stay blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    value = ctypes.create_string_buffer(128)
    ctypes.c_int.from_buffer(value, 8).value = -1
    for _ in range(1_000_000):
        if libc.syscall(129 if os.uname().machine == 'x86_64' else 138, os.getpid(), 40, value) < 0:
            raise OSError(ctypes.get_errno(), 'rt_sigqueueinfo')


def fill_timers():
    timer = ctypes.c_void_p()
    for _ in range(200_000):
        if libc.timer_create(1, None, ctypes.byref(timer)) < 0:
            raise OSError(ctypes.get_errno(), 'timer_create')


def fill_shm():
    key = libc.shmget(0, 16 * MIB, 0o1600)
    if key < 0:
        raise OSError(ctypes.get_errno(), 'shmget')
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(key, None, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), 'shmat')
    ctypes.memset(address, 1, 16 * MIB)
    return key


def fill_mqueue(counter=[0]):
    counter[0] += 1
    handle = libc.mq_open(b'/q%d-%d' % (os.getpid(), counter[0]), os.O_CREAT | os.O_RDWR, 0o600, None)
    if handle < 0:
        raise OSError(ctypes.get_errno(), 'mq_open')
    return handle


def fill_messages():
    queue = libc.msgget(0, 0o1600)
    if queue < 0:
        raise OSError(ctypes.get_errno(), 'msgget')
    message = ctypes.create_string_buffer(b'\1' + bytes(7) + b'x' * 8000)
    while libc.msgsnd(queue, message, 8000, 0o4000) == 0:
        pass
    return queue


def fill_semaphores():
    key = libc.semget(0, 250, 0o1600)
    if key < 0:
        raise OSError(ctypes.get_errno(), 'semget')
    return key


FILLERS = {
    'pipes': fill_pipe, 'sockets': fill_socket, 'inotify': fill_inotify, 'epoll': fill_epoll, 'locks': fill_locks, 'dentries': fill_dentries,
    'memfd': fill_memfd, 'signals': fill_signals, 'timers': fill_timers, 'shm': fill_shm, 'mqueue': fill_mqueue, 'messages': fill_messages,
    'semaphores': fill_semaphores,
}


def kernel(kind, seconds):
    """One kind of kernel memory, in many processes, until each is refused or time is up."""
    filler = FILLERS[kind]
    deadline = time.monotonic() + seconds
    reading, writing = os.pipe()
    count = 0
    for _ in range(24):
        try:
            child = os.fork()
        except OSError:
            break
        if child:
            count += 1
            continue
        os.close(reading)
        kept, stopped = [], 'time'
        try:
            while time.monotonic() < deadline:
                kept.append(filler())
        except OSError as error:
            stopped = name(error)
        os.write(writing, (stopped + '\n').encode())
        # What is held stays held until all have met their limit.
        time.sleep(max(0.0, deadline - time.monotonic()))
        os._exit(0)
    os.close(writing)
    ends = []
    for _ in range(count):
        _, status = os.wait()
        if os.WIFSIGNALED(status):
            ends.append(signal.Signals(os.WTERMSIG(status)).name)
    with os.fdopen(reading) as handle:
        ends += handle.read().split()
    said(ends=sorted(set(ends)))


def leave_shm(mebibytes):
    """Leaves shared memory behind that belongs to no process."""
    key = libc.shmget(0, mebibytes * MIB, 0o1600)
    if key < 0:
        said(stopped=name(OSError(ctypes.get_errno(), '')))
        return
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(key, None, 0)
    for offset in range(0, mebibytes * MIB, MIB):
        ctypes.memset(address + offset, 1, MIB)
    said(stopped='none')


def spin(count, seconds):
    """CPU seconds that so many processes got in so many seconds."""
    began = time.monotonic()
    for _ in range(count):
        if os.fork() == 0:
            while time.monotonic() - began < seconds:
                pass
            os._exit(0)
    for _ in range(count):
        os.wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    said(cpu=usage.ru_utime + usage.ru_stime, wall=time.monotonic() - began)


def stubborn():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    print('deaf', flush=True)
    while True:
        time.sleep(60)


def polite():
    signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), os._exit(5)))
    print('ready', flush=True)
    while True:
        time.sleep(60)


def daemon():
    """Leaves a process that nothing of the command is parent, group, session or reader of."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir('/')
            for number in range(3, 64):
                try:
                    os.close(number)
                except OSError:
                    pass
            null = os.open('/dev/null', os.O_RDWR)
            for number in range(3):
                os.dup2(null, number)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            with open('/workspace/daemon', 'w') as handle:
                handle.write(str(os.getpid()))
            while True:
                time.sleep(0.05)
                with open('/workspace/alive', 'w') as handle:
                    handle.write(str(time.monotonic()))
        os._exit(0)
    os.wait()
    while not os.path.exists('/workspace/daemon'):
        time.sleep(0.01)
    print('detached', flush=True)
    if len(sys.argv) > 2:
        time.sleep(float(sys.argv[2]))


def orphans(count):
    for _ in range(count):
        while True:
            try:
                child = os.fork()
                break
            except OSError:
                time.sleep(0.001)
        if child == 0:
            try:
                os.fork()
            except OSError:
                pass
            os._exit(0)
        os.waitpid(child, 0)
    said(made=count)


def flood(mebibytes):
    """As much to standard output as to standard error."""
    block = b'f' * 65536
    for _ in range(mebibytes * 8):
        os.write(1, block)
        os.write(2, block)


def tiny(count):
    for index in range(count):
        os.write(1, b'%d' % (index % 10))


def signals(which):
    number = getattr(signal, which)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if which == 'SIGXFSZ':
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        with open('/workspace/large', 'wb', buffering=0) as handle:
            handle.write(b'x' * 100)
            handle.write(b'x' * 100)
    elif which == 'SIGXCPU':
        resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
        while True:
            pass
    elif which == 'SIGSEGV':
        ctypes.string_at(8)
    elif which == 'SIGABRT':
        os.abort()
    else:
        if which not in ('SIGKILL', 'SIGSTOP'):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    time.sleep(5)


MODES = {
    'processes': processes, 'bomb': bomb, 'memory': memory, 'many_hogs': many_hogs, 'fill': fill, 'inodes': inodes, 'files': files, 'stubborn': stubborn,
    'polite': polite, 'daemon': daemon, 'signals': signals,
}
mode, rest = sys.argv[1], sys.argv[2:]
if mode in ('fill', 'inodes', 'signals'):
    MODES[mode](rest[0])
elif mode == 'kernel':
    kernel(rest[0], float(rest[1]))
elif mode == 'spin':
    spin(int(rest[0]), float(rest[1]))
elif mode in ('orphans', 'flood', 'tiny', 'leave_shm'):
    {'orphans': orphans, 'flood': flood, 'tiny': tiny, 'leave_shm': leave_shm}[mode](int(rest[0]))
else:
    MODES[mode]()
