package execs

import (
	"syscall"
	"time"
)

const forkWatchInterval = 50 * time.Millisecond

// unstickFork continues children that were stopped before they ran their program. Between vfork and execve the child has our
// memory and our thread waits for it; a payload has the same uid and may send it SIGSTOP, which can't be blocked, and could hold
// up the runner for good.
func (t *Table) unstickFork() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.forking {
		return
	}
	for pid, p := range readProcesses() {
		if p.parent == t.self && p.stopped() && t.live[pid] == nil {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
	t.forkTimer.Reset(forkWatchInterval)
}
