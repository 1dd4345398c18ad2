package execs

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"nanoclaw/runner/internal/buffers"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/poll"
	"nanoclaw/runner/internal/wire"
)

const maxTerminalBytes = 1 << 20

var longAgo = time.Unix(1, 0)

// outlet carries one output of a command to a lane, as fast as the host takes it; then it reads on and throws away, so that
// background children neither block nor die.
type outlet struct {
	stream    *mux.Stream
	lane      byte
	file      *os.File
	source    buffers.Source
	fd        int
	pty       bool
	rootEnded atomic.Bool
}

func newOutlet(stream *mux.Stream, lane byte, file *os.File, fd int) *outlet {
	raw, err := file.SyscallConn()
	if err != nil {
		panic(err)
	}
	return &outlet{stream: stream, lane: lane, file: file, source: buffers.Source{Raw: raw}, fd: fd}
}

// finish tells that the command has ended: what it wrote is in the pipe now.
func (o *outlet) finish() {
	o.rootEnded.Store(true)
	_ = o.file.SetReadDeadline(longAgo)
	o.stream.Recheck()
}

// run calls drained once, when all that the command itself wrote was sent.
func (o *outlet) run(lingering *lingerers, drained func()) {
	over := o.forward()
	if !over {
		lingering.add(o.file)
	}
	drained()
	if !over {
		o.discard()
		lingering.remove(o.file)
	}
	o.file.Close()
}

// forward sends until the output is over (true), or all of the command's own was sent, or the host gave up.
func (o *outlet) forward() (over bool) {
	left := -1 // after the command's end: what of its own there may still be
	for {
		enough := o.rootEnded.Load
		if left < 0 && enough() {
			left = o.pipedBytes()
		}
		if left == 0 || left > 0 && o.pty && poll.Now(o.fd)&poll.Input == 0 {
			return false
		}
		if left > 0 {
			enough = nil
		}
		allowance, open := o.stream.Allowance(o.lane, enough)
		if !open {
			return false
		}
		if allowance == 0 {
			continue
		}
		if left > 0 && left < allowance {
			allowance = left
		}
		buffer, n, err := o.next(allowance, left < 0)
		if n > 0 {
			o.stream.Data(o.lane, buffer.Bytes[:n])
			buffer.Return()
			if left > 0 {
				left -= n
			}
		}
		switch {
		case err == syscall.EAGAIN:
			return false
		case os.IsTimeout(err): // the command has ended meanwhile
		case err != nil || n == 0:
			return true
		}
	}
}

func (o *outlet) next(size int, wait bool) (*buffers.Buffer, int, error) {
	if wait {
		return o.source.Next(size)
	}
	return o.source.TryNext(o.fd, size)
}

// discard reads to the end.
func (o *outlet) discard() {
	for {
		_ = o.file.SetReadDeadline(time.Time{})
		buffer, n, err := o.source.Next(wire.MaxDataBytes)
		if n > 0 {
			buffer.Return()
		}
		if err == nil && n == 0 || err != nil && !os.IsTimeout(err) {
			return
		}
	}
}

// pipedBytes is what has been written and not been read. How much it is a terminal tells only as it is read, so it is more there; nobody
// writes to it once its session has ended.
func (o *outlet) pipedBytes() int {
	if o.pty {
		return maxTerminalBytes
	}
	var n int32
	if ioctl(o.fd, syscall.TIOCINQ, unsafe.Pointer(&n)) != nil || n < 0 {
		return maxTerminalBytes
	}
	return int(n)
}
