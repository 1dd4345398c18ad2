package execs

import (
	"sync"
	"syscall"
	"time"
)

// process is the root process of a live exec.
type process struct {
	pid    int
	doomed bool // its tree is to be killed
	shared bool // another exec ran beside it at some time
	ended  chan struct{}
	status syscall.WaitStatus
}

// Table knows the live execs' root processes. One goroutine reaps every child, its own and orphans; nothing else waits.
type Table struct {
	// init: this process is PID 1 of its pid namespace, so that everything in it is its own to kill.
	init bool
	self int

	mu        sync.Mutex
	changed   sync.Cond // any of the following
	live      map[int]*process
	forking   bool
	resting   bool
	killing   int
	forkTimer *time.Timer

	sweeping  sync.Mutex
	oom       oomCounter
	lingering lingerers
}

// NewTable makes the table and starts its reaper. init says that this process is really PID 1.
func NewTable(init bool) *Table {
	t := &Table{init: init, self: syscall.Getpid(), live: make(map[int]*process)}
	t.changed.L = &t.mu
	t.forkTimer = time.AfterFunc(time.Hour, t.unstickFork)
	t.forkTimer.Stop()
	go t.reap()
	return t
}

// start runs fork while no other start, kill or rest is under way, and registers the process that it makes: nil when it was
// abandoned before.
func (t *Table) start(abandoned func() bool, fork func() (int, error)) (*process, error) {
	t.mu.Lock()
	for (t.forking || t.resting || t.killing > 0) && !abandoned() {
		t.changed.Wait()
	}
	if abandoned() {
		t.mu.Unlock()
		return nil, nil
	}
	t.forking = true
	t.forkTimer.Reset(forkWatchInterval)
	t.mu.Unlock()

	pid, err := fork()

	t.mu.Lock()
	defer t.mu.Unlock()
	t.forkTimer.Stop()
	t.forking = false
	t.changed.Broadcast()
	if err != nil {
		return nil, err
	}
	p := &process{pid: pid, ended: make(chan struct{})}
	t.live[pid] = p
	if len(t.live) > 1 {
		for _, each := range t.live {
			each.shared = true
		}
	}
	return p, nil
}

// Rest runs f while nothing is being started.
func (t *Table) Rest(f func()) {
	t.mu.Lock()
	for t.forking || t.resting {
		t.changed.Wait()
	}
	t.resting = true
	t.mu.Unlock()
	f()
	t.mu.Lock()
	t.resting = false
	t.changed.Broadcast()
	t.mu.Unlock()
}

// Nudge makes everybody who waits look again. The reaper has to when children came by other ways than a start (an engine's own
// exec) and left orphans.
func (t *Table) Nudge() {
	t.mu.Lock()
	t.changed.Broadcast()
	t.mu.Unlock()
}

// ranAlone says that no other exec ran while p did.
func (t *Table) ranAlone(p *process) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !p.shared
}

// signal sends a signal to the process group of p unless p has ended.
func (t *Table) signal(p *process, signal syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live[p.pid] == p {
		_ = syscall.Kill(-p.pid, signal)
	}
}
