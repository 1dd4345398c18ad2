// Package lease ends the sandbox when its host has not been heard for too long.
package lease

import (
	"sync/atomic"
	"time"

	"nanoclaw/runner/internal/poll"
)

// graceChecks is how often the reader gets time to read what has already arrived: a container that was frozen for longer than its
// lease finds the host's pings in its input.
const graceChecks = 20

// Lease is the time that the host may be silent. Times are of the monotonic clock.
type Lease struct {
	fd      int
	started time.Time
	heardNs atomic.Int64
	limitNs atomic.Int64
	wake    chan struct{}
	grace   time.Duration
}

// New starts counting; fd is the channel's input.
func New(fd int, limit time.Duration) *Lease {
	l := &Lease{fd: fd, started: time.Now(), wake: make(chan struct{}, 1), grace: 50 * time.Millisecond}
	l.limitNs.Store(int64(limit))
	return l
}

// Heard says that something arrived.
func (l *Lease) Heard() { l.heardNs.Store(int64(time.Since(l.started))) }

// SetLimit changes how long the host may be silent.
func (l *Lease) SetLimit(limit time.Duration) {
	l.limitNs.Store(int64(limit))
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Wait returns when the lease is over. beat is called now and then.
func (l *Lease) Wait(beat func()) {
	checks := 0
	for {
		silent := int64(time.Since(l.started)) - l.heardNs.Load()
		left := time.Duration(l.limitNs.Load() - silent)
		if left > 0 {
			checks = 0
		} else if checks >= graceChecks || poll.Now(l.fd) == 0 {
			return
		} else {
			checks++
			left = l.grace
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-l.wake:
			timer.Stop()
		}
		beat()
	}
}
