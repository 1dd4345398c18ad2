"""Takes from PID 1 what an equal uid may take, and then spins: `cpu` (its share of the CPU), `stop` (stops all others for ever)."""

import os
import signal
import sys
import time

mode = sys.argv[1]
if mode == 'cpu':
    said = []
    for task in os.listdir('/proc/1/task'):
        for name, take in (
            ('idle', lambda: os.sched_setscheduler(int(task), os.SCHED_IDLE, os.sched_param(0))),
            ('nice', lambda: os.setpriority(os.PRIO_PROCESS, int(task), 19)),
            ('affinity', lambda: os.sched_setaffinity(int(task), {0})),
        ):
            try:
                take()
                said.append('%s ok' % name)
            except OSError as error:
                said.append('%s %d' % (name, error.errno))
    print(said, flush=True)
    for _ in range(120):
        if os.fork() == 0:
            os.sched_setaffinity(0, {0})
            while True:
                pass
    time.sleep(600)
else:
    # Also what the runner has forked and not yet executed.
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        try:
            os.kill(-1, signal.SIGSTOP)
        except OSError:
            pass
