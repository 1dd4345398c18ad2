package mux

import (
	"io"
	"sync"
	"time"
)

const (
	// roomBytes is what may wait for the channel before those who can wait do.
	roomBytes = 64 * 1024
	// maxReplyBytes is what may wait for a host that doesn't read; the reader of the channel never waits.
	maxReplyBytes = 1024 * 1024
	// keepBytes is how large a buffer may be kept for the next time.
	keepBytes = 256 * 1024
)

// output collects frames and writes them to the channel: what several goroutines append while a write is under way, or before
// the writer gets to run, goes out in one. All of it is guarded by the session's mutex.
type output struct {
	mu      *sync.Mutex
	pending []byte
	spare   []byte
	filled  sync.Cond
	drained sync.Cond
	writing bool
	// sealed: GOODBYE was the last frame, or the channel is broken.
	sealed bool
	closed bool
}

func newOutput(mu *sync.Mutex) *output {
	o := &output{mu: mu}
	o.filled.L, o.drained.L = mu, mu
	return o
}

// append adds frames at once, however full it is. add gets the buffer to append to.
func (o *output) append(add func([]byte) []byte) {
	if o.sealed {
		return
	}
	o.pending = add(o.pending)
	o.filled.Signal()
}

// waitForRoom waits until the channel takes more; for goroutines that nobody waits for.
func (o *output) waitForRoom() {
	for len(o.pending) > roomBytes && !o.sealed {
		o.drained.Wait()
	}
}

// overfull: the host sends what must be answered and doesn't read the answers.
func (o *output) overfull() bool { return len(o.pending) > maxReplyBytes }

// run writes to the channel until close. A channel that can't be written drops what comes; its end shows in the reader.
func (o *output) run(channel io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.pending) == 0 {
			if o.closed {
				return
			}
			o.filled.Wait()
		}
		batch := o.pending
		o.pending, o.spare = o.spare[:0], nil
		o.writing = true
		o.mu.Unlock()
		_, err := channel.Write(batch)
		o.mu.Lock()
		o.writing = false
		if cap(batch) <= keepBytes {
			o.spare = batch[:0]
		}
		if err != nil {
			o.sealed = true
			o.pending = nil
		}
		o.drained.Broadcast()
	}
}

func (o *output) close() {
	o.closed, o.sealed = true, true
	o.filled.Broadcast()
	o.drained.Broadcast()
}

// flush waits until everything was written, at most for a while.
func (o *output) flush(atMost time.Duration) {
	expired := false
	timer := time.AfterFunc(atMost, func() {
		o.mu.Lock()
		expired = true
		o.drained.Broadcast()
		o.mu.Unlock()
	})
	defer timer.Stop()
	for (len(o.pending) > 0 || o.writing) && !expired && !o.closed {
		o.drained.Wait()
	}
}
