"""What an untrusted program may try. Every attempt prints one JSON line: what was tried, and what came of it.

The only address that is contacted is a listener of the demonstration's own on this machine.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000


def tell(attempt, stopped, found):
    print(json.dumps({"attempt": attempt, "stopped": stopped, "found": found}), flush=True)


def name(error):
    return f"{errno.errorcode.get(error, error)}: {os.strerror(error)}"


def write_to_root():
    try:
        with open("/usr/bin/backdoor", "w"):
            tell("write to /usr/bin", False, "written")
    except OSError as error:
        tell("write to /usr/bin", True, name(error.errno))


def reach_network(port):
    interfaces = ", ".join(interface for _, interface in socket.if_nameindex())
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        tell("reach a server of this machine", False, "connected")
    except OSError as error:
        tell("reach a server of this machine", True, f"{name(error.errno)}; the only interface is {interfaces}")


def gain_privileges():
    found = []
    for text, call in (
        ("setuid(0)", lambda: LIBC.setuid(0)),
        ("unshare(NEWUSER)", lambda: LIBC.unshare(CLONE_NEWUSER)),
        ("mount", lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    ):
        ctypes.set_errno(0)
        result = call()
        found.append((text, result == -1, errno.errorcode.get(ctypes.get_errno(), "0") if result == -1 else "done"))
    tell(", ".join(text for text, _, _ in found), all(stopped for _, stopped, _ in found), ", ".join(code for _, _, code in found))


def fork_bomb():
    children = []
    try:
        while len(children) < 5000:
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
        tell("fork bomb", False, f"{len(children)} processes")
    except OSError as error:
        tell("fork bomb", True, f"{name(error.errno)} after {len(children)} processes")
    for child in children:
        os.kill(child, signal.SIGKILL)


write_to_root()
reach_network(int(sys.argv[1]))
gain_privileges()
fork_bomb()
