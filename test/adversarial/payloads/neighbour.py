"""What one sandbox does that another must not notice. Prints JSON. Modes: `live` (until told to end), `look`."""

import json
import os
import signal
import socket
import sys

NAME = '\0nanoclaw-neighbour'


def live():
    """Leaves something to be found in each place that could be shared."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(NAME)
    server.listen()
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind(('127.0.0.1', 45678))
    tcp.listen()
    for directory in ('/workspace', '/tmp', '/dev/shm'):
        with open(directory + '/neighbour-was-here', 'w') as handle:
            handle.write('x')
    key = libc.shmget(0x4E43, 4096, 0o1666)
    queue = libc.msgget(0x4E43, 0o1666)
    message = libc.mq_open(b'/neighbour', os.O_CREAT | os.O_RDWR, 0o666, None)
    print(json.dumps({'pid': os.getpid(), 'made': [key >= 0, queue >= 0, message >= 0]}), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
    sys.stdin.read()
    print(json.dumps({'survived': True}))


def look():
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    found = {}
    found['processes'] = sorted(int(name) for name in os.listdir('/proc') if name.isdigit() and int(name) not in (1, os.getpid()))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(NAME)
        found['abstract'] = 'connected'
    except OSError as error:
        found['abstract'] = type(error).__name__
    try:
        with socket.create_connection(('127.0.0.1', 45678), 1):
            found['tcp'] = 'connected'
    except OSError as error:
        found['tcp'] = type(error).__name__
    found['files'] = [d for d in ('/workspace', '/tmp', '/dev/shm') if os.path.exists(d + '/neighbour-was-here')]
    found['shm'] = libc.shmget(0x4E43, 4096, 0)
    found['queue'] = libc.msgget(0x4E43, 0)
    found['mqueue'] = os.listdir('/dev/mqueue')
    found['unix'] = len(open('/proc/net/unix').read().splitlines()) - 1
    # Whoever could be reached by number would get it.
    reached = []
    # A thread's number reaches its process: the runner would take it for its own end.
    threads = {int(name) for name in os.listdir('/proc/1/task')}
    for pid in range(2, 40000):
        if pid == os.getpid() or pid in threads:
            continue
        try:
            os.kill(pid, signal.SIGTERM)
            reached.append(pid)
        except OSError:
            pass
    found["reached"] = reached
    print(json.dumps(found))


if sys.argv[1] == 'live':
    live()
else:
    look()
