package execs

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

var outputBuffers = sync.Pool{New: func() any { return new([wire.MaxDataBytes]byte) }}

const maxTerminalBytes = 1 << 20

var longAgo = time.Unix(1, 0)

// outlet carries one output of a command to a lane, as fast as the host takes it; then it reads on and throws away, so that
// background children neither block nor die.
type outlet struct {
	stream    *mux.Stream
	lane      byte
	file      *os.File
	raw       syscall.RawConn
	fd        int
	pty       bool
	rootEnded atomic.Bool
}

func newOutlet(stream *mux.Stream, lane byte, file *os.File, fd int) *outlet {
	raw, err := file.SyscallConn()
	if err != nil {
		panic(err)
	}
	return &outlet{stream: stream, lane: lane, file: file, raw: raw, fd: fd}
}

// finish tells that the command has ended: what it wrote is in the pipe now.
func (o *outlet) finish() {
	o.rootEnded.Store(true)
	_ = o.file.SetReadDeadline(longAgo)
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
		allowance, open := o.stream.Allowance(o.lane)
		if !open {
			return false
		}
		if left < 0 && o.rootEnded.Load() {
			left = o.pipedBytes()
		}
		if left == 0 {
			return false
		}
		if left > 0 && left < allowance {
			allowance = left
		}
		buffer, n, err := o.read(allowance, left < 0)
		if n > 0 {
			o.stream.Data(o.lane, buffer[:n])
			if left > 0 {
				left -= n
			}
		}
		if buffer != nil {
			outputBuffers.Put(buffer)
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

// read reads at most size bytes. It holds no buffer while it waits.
func (o *outlet) read(size int, wait bool) (buffer *[wire.MaxDataBytes]byte, n int, err error) {
	attempt := func(fd uintptr) bool {
		if buffer == nil {
			buffer = outputBuffers.Get().(*[wire.MaxDataBytes]byte)
		}
		for {
			n, err = syscall.Read(int(fd), buffer[:size])
			if err != syscall.EINTR {
				break
			}
		}
		if err == syscall.EAGAIN && wait {
			outputBuffers.Put(buffer)
			buffer = nil
			return false
		}
		return true
	}
	if !wait {
		attempt(uintptr(o.fd))
	} else if waitErr := o.raw.Read(attempt); waitErr != nil {
		return buffer, 0, waitErr
	}
	if n < 0 {
		n = 0
	}
	return buffer, n, err
}

// discard reads to the end.
func (o *outlet) discard() {
	for {
		_ = o.file.SetReadDeadline(time.Time{})
		buffer, n, err := o.read(wire.MaxDataBytes, true)
		if buffer != nil {
			outputBuffers.Put(buffer)
		}
		if err == nil && n == 0 || err != nil && !os.IsTimeout(err) {
			return
		}
	}
}

// pipedBytes is what has been written and not been read, or more where only reading tells: a terminal counts what is still on its
// way only when it is read, and nobody writes to it once its session has ended.
func (o *outlet) pipedBytes() int {
	if o.pty {
		return maxTerminalBytes
	}
	var n int32
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(o.fd), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 || n < 0 {
		return maxTerminalBytes
	}
	return int(n)
}
