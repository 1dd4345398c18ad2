package execs

import (
	"syscall"
	"time"
)

const (
	// killLimit bounds a kill: what isn't dead by then can't be killed.
	killLimit = 2 * time.Second
	// stopRounds bounds how long a sweep tries to have everything stopped before it kills.
	stopRounds = 50
	// forkPatience is how long a kill waits for a start that is under way.
	forkPatience = 100 * time.Millisecond
)

// killTree kills everything but the runner and what descends from live execs that are not doomed. The caller's exec is doomed, or
// over. Returns when all are dead or can't be killed.
func (t *Table) killTree() {
	t.mu.Lock()
	t.killing++
	t.mu.Unlock()
	t.sweeping.Lock()
	t.awaitFork()
	deadline := time.Now().Add(killLimit)
	// Whoever can't see who is who spares nobody: what should have lived is the smaller loss.
	if t.init && (!t.anySpared() || readProcesses() == nil) {
		t.killEverything(deadline)
	} else {
		t.stopVictims(deadline)
		t.killVictims(deadline)
	}
	t.sweeping.Unlock()
	t.mu.Lock()
	t.killing--
	t.changed.Broadcast()
	t.mu.Unlock()
}

// KillAll kills everything but the runner.
func (t *Table) KillAll() {
	t.mu.Lock()
	for _, p := range t.live {
		p.doomed = true
	}
	t.mu.Unlock()
	t.killTree()
}

func (t *Table) doom(p *process) {
	t.mu.Lock()
	p.doomed = true
	t.mu.Unlock()
}

// awaitFork lets a start that is under way register its process; one that hangs is no reason to wait.
func (t *Table) awaitFork() {
	deadline := time.Now().Add(forkPatience)
	timer := time.AfterFunc(forkPatience, t.Nudge)
	defer timer.Stop()
	t.mu.Lock()
	for t.forking && time.Now().Before(deadline) {
		t.changed.Wait()
	}
	t.mu.Unlock()
}

func (t *Table) anySpared() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.live {
		if !p.doomed {
			return true
		}
	}
	return false
}

// killEverything has the kernel kill all processes of the namespace at once; a process in fork sees the signal before it has
// a child. Only for PID 1 of a namespace: anywhere else this is everything that the user has.
func (t *Table) killEverything(deadline time.Time) {
	for pause := 200 * time.Microsecond; ; pause *= 2 {
		if syscall.Kill(-1, syscall.SIGKILL) == syscall.ESRCH || time.Now().After(deadline) {
			return
		}
		if len(t.victims()) == 0 {
			return
		}
		time.Sleep(pause)
	}
}

// stopVictims stops victims until a look at all processes shows no new one: what is stopped starts nothing.
func (t *Table) stopVictims(deadline time.Time) {
	stopped := make(map[int]bool)
	for round := 0; round < stopRounds && time.Now().Before(deadline); round++ {
		fresh := false
		for _, pid := range t.victims() {
			if !stopped[pid] {
				stopped[pid], fresh = true, true
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		if !fresh {
			return
		}
	}
}

func (t *Table) killVictims(deadline time.Time) {
	for pause := 200 * time.Microsecond; ; pause *= 2 {
		victims := t.victims()
		if len(victims) == 0 || time.Now().After(deadline) {
			return
		}
		for _, pid := range victims {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(pause)
	}
}

// victims lists the live processes that a kill is for. As PID 1 that is whatever is not spared, elsewhere what descends from us.
func (t *Table) victims() []int {
	processes := readProcesses()
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []int
	for pid, info := range processes {
		if pid != t.self && !info.dead() && t.isVictim(pid, info, processes) {
			found = append(found, pid)
		}
	}
	return found
}

// isVictim walks up from a process to a spared exec, to us, or to the top.
func (t *Table) isVictim(pid int, info procInfo, processes map[int]procInfo) bool {
	for hops := 0; hops < 1<<16; hops++ {
		if p := t.live[pid]; p != nil && !p.doomed {
			return false
		}
		if info.parent == t.self {
			return true
		}
		if info.parent <= 0 || pid == t.self {
			return t.init
		}
		parent, known := processes[info.parent]
		if !known { // younger than the picture, or gone since; then its children are orphans, which belong to us
			if parent, known = readProcess(info.parent); !known {
				return t.init
			}
			processes[info.parent] = parent
		}
		pid, info = info.parent, parent
	}
	return t.init
}
