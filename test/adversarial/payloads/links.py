"""Makes what a download must not follow. Modes: `plant DIR`, `swap DIR SECONDS`, `odd DIR`, `names DIR`, `many DIR N`."""

import ctypes
import os
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def plant(directory):
    os.makedirs(directory)
    for name, target in {
        'shadow': '/etc/shadow', 'passwd': '/etc/passwd', 'root': '/', 'proc1': '/proc/1/root', 'environ': '/proc/self/environ',
        'mem': '/proc/self/mem', 'input': '/proc/self/fd/0', 'output': '/proc/self/fd/1', 'files': '/proc/self/fd',
        'kcore': '/proc/kcore', 'runner': '/.nanoclaw/runner', 'loop': 'loop', 'zero': '/dev/zero', 'terminal': '/dev/ptmx',
    }.items():
        os.symlink(target, os.path.join(directory, name))


def swap(directory, seconds):
    """`d` is now a directory with a file, now a link to /etc, as fast as can be."""
    os.makedirs(directory + '/d')
    with open(directory + '/d/x', 'w') as handle:
        handle.write('mine')
    os.symlink('/etc', directory + '/link')
    os.makedirs(directory + '/deep/a/b')
    with open(directory + '/deep/a/b/x', 'w') as handle:
        handle.write('mine')
    os.symlink('/etc', directory + '/deep/link')
    print('ready', flush=True)
    end = time.monotonic() + seconds
    d, link = (directory + '/d').encode(), (directory + '/link').encode()
    a, other = (directory + '/deep/a').encode(), (directory + '/deep/link').encode()
    while time.monotonic() < end:
        libc.renameat2(AT_FDCWD, d, AT_FDCWD, link, RENAME_EXCHANGE)
        libc.renameat2(AT_FDCWD, a, AT_FDCWD, other, RENAME_EXCHANGE)


def odd(directory):
    for kind in ('fifo', 'socket', 'sparse', 'loop'):
        os.makedirs('%s/%s' % (directory, kind))
    os.mkfifo(directory + '/fifo/f')
    os.chdir(directory + '/socket')
    with socket.socket(socket.AF_UNIX) as handle:
        handle.bind('s')
    with open(directory + '/sparse/s', 'wb') as handle:
        handle.truncate(1 << 40)
    os.symlink('.', directory + '/loop/self')


# 255 bytes is the most for a name; the others are what breaks careless code.
NAMES = [
    b'-rf', b'--help', b'a b', b'a\nb', b'a\tb', b'a\\b', b'"quoted"', b"it's", b'$(id)', b'`id`', b'*', b'?', b'%s%n', b'..a', b'...', b'a..', b'.hidden',
    b'\xff\xfe not utf-8', b'caf\xc3\xa9', b'cafe\xcc\x81', '\u202egnp.exe'.encode(), '\u200b'.encode(), '\ufeffbom'.encode(), b'\x1b[31mred', b'\x7f', b'\x01',
    b'n' * 255, '\u00e9'.encode() * 127, b'CON', b'a:b', b'trailing ', b'trailing.', b'~', b'#', b'emoji \xf0\x9f\x98\x80',
]


def names(directory):
    os.makedirs(directory)
    for index, name in enumerate(NAMES):
        with open(os.path.join(os.fsencode(directory), name), 'wb') as handle:
            handle.write(b'%d' % index)


def many(directory, count):
    for index in range(count):
        if index % 1000 == 0:
            part = '%s/%03d' % (directory, index // 1000)
            os.makedirs(part)
        os.close(os.open('%s/%d' % (part, index), os.O_CREAT | os.O_WRONLY, 0o600))


mode, where = sys.argv[1], sys.argv[2]
if mode == 'plant':
    plant(where)
elif mode == 'swap':
    swap(where, float(sys.argv[3]))
elif mode == 'odd':
    odd(where)
elif mode == 'names':
    names(where)
else:
    many(where, int(sys.argv[3]))
