"""Takes from PID 1 what an equal uid may take, and then spins: `cpu` (its share of the CPU), `stop` (stops all others for ever)."""

import os
import signal
import sys
import time

mode = sys.argv[1]
if mode == 'cpu':
    said = []

    def attempt(name, take):
        try:
            take()
            said.append(name + ' ok')
        except OSError as error:
            said.append('%s %d' % (name, error.errno))

    for task in os.listdir('/proc/1/task'):
        attempt('idle', lambda: os.sched_setscheduler(int(task), os.SCHED_IDLE, os.sched_param(0)))
        attempt('nice', lambda: os.setpriority(os.PRIO_PROCESS, int(task), 19))
        attempt('affinity', lambda: os.sched_setaffinity(int(task), {0}))
    attempt('group', lambda: os.setpriority(os.PRIO_PGRP, 1, 19))
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
