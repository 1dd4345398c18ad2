package execs

import (
	"syscall"
	"unsafe"
)

// reap takes every child's end. It looks before it reaps (WNOWAIT): a zombie keeps its pid, so that the pid of a process that ended
// before its start was registered, or while it is being signalled, can't belong to another one.
func (t *Table) reap() {
	for {
		pid, errno := peekChild()
		if errno == syscall.EINTR {
			continue
		}
		t.mu.Lock()
		if errno != 0 { // ECHILD: until there is one
			if t.forking || len(t.live) == 0 {
				t.changed.Wait()
			}
			t.mu.Unlock()
			continue
		}
		for t.forking && t.live[pid] == nil {
			t.changed.Wait() // it may be the one being started
		}
		p := t.live[pid]
		var status syscall.WaitStatus
		got, _ := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if got == pid && p != nil {
			p.status = status
			delete(t.live, pid)
			close(p.ended)
		}
		t.mu.Unlock()
	}
}

// peekChild waits for a child's end without taking it.
func peekChild() (int, syscall.Errno) {
	const (
		pAll    = 0
		wExited = 4
		wNoWait = 0x1000000
	)
	var info [16]uint64 // siginfo_t: signo, errno, code, padding, pid, uid, status …
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&info)), wExited|wNoWait, 0, 0)
	return int(int32(info[2])), errno
}
