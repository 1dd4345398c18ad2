package execs

import (
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nanoclaw/runner/internal/mux"
)

// command is one exec stream from its OPEN to our CLOSE. One goroutine (run) makes all decisions; hooks only leave word.
type command struct {
	table   *Table
	stream  *mux.Stream
	request *request
	io      *stdio
	process *process

	wake  chan struct{}
	mu    sync.Mutex
	ops   ops
	reset atomic.Bool

	oomBefore uint64
	oomKnown  bool
	timedOut  bool
	killed    bool
	sweep     chan struct{} // closed when the kill under way is done
	drained   chan struct{}
}

// Open serves `exec`.
func (t *Table) Open(stream *mux.Stream, open []byte) (func(), error) {
	request, err := parseRequest(open)
	if err != nil {
		return nil, err
	}
	c := &command{table: t, stream: stream, request: request, wake: make(chan struct{}, 1), drained: make(chan struct{}, 2)}
	stream.SetHooks(mux.Hooks{Message: c.message, Gone: c.gone})
	return c.run, nil
}

func (c *command) gone(reset bool) {
	if reset {
		c.reset.Store(true)
		c.table.Nudge()
	}
	c.poke()
}

func (c *command) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *command) run() {
	if err := c.start(); err != nil {
		refusal, ok := err.(*mux.Refusal)
		if !ok {
			refusal = &mux.Refusal{Code: "io", Message: err.Error()}
		}
		c.stream.Fail(refusal.Code, refusal.Message)
		return
	}
	if c.process == nil { // given up before it was started
		c.stream.Finish(nil)
		return
	}
	pid := strconv.Itoa(c.process.pid)
	c.stream.Send(func(b *mux.Batch) { b.MessageText(`{"event":"started","pid":` + pid + `}`) })
	for _, o := range c.io.outlets {
		go o.run(&c.table.lingering, func() { c.drained <- struct{}{} })
	}
	if c.io.input != nil && c.request.Stdin {
		go feed(c.stream, c.io.input, c.io.pty)
	}
	c.attend()
	c.drain()
	if c.sweep != nil {
		<-c.sweep
	}
	if c.io.input != nil {
		_ = c.io.input.SetWriteDeadline(longAgo)
	}
	text := c.exited()
	c.stream.Finish(func(b *mux.Batch) {
		b.End(0)
		b.End(1)
		b.MessageText(text)
	})
}

// attend serves the command until its root process has ended.
func (c *command) attend() {
	var timer *time.Timer
	var expired <-chan time.Time
	if c.request.TimeoutMs > 0 {
		timer = time.NewTimer(time.Duration(c.request.TimeoutMs) * time.Millisecond)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		c.obey()
		select {
		case <-c.process.ended:
			return
		case <-c.wake:
		case <-expired:
			if !c.timedOut && c.request.KillGraceMs > 0 {
				c.table.signal(c.process, syscall.SIGTERM)
				timer.Reset(time.Duration(c.request.KillGraceMs) * time.Millisecond)
			} else {
				c.kill()
			}
			c.timedOut = true
		}
	}
}

// drain waits until what the command wrote was sent, or nobody wants it.
func (c *command) drain() {
	for _, o := range c.io.outlets {
		o.finish()
	}
	for left := len(c.io.outlets); left > 0; {
		select {
		case <-c.drained:
			left--
		case <-c.wake:
			c.obey()
		}
	}
}

// kill starts to kill the whole tree; several in a row do it once.
func (c *command) kill() {
	if c.sweep != nil {
		select {
		case <-c.sweep:
		default:
			return
		}
	}
	c.killed = true
	c.table.doom(c.process)
	done := make(chan struct{})
	c.sweep = done
	go func() {
		c.table.killTree()
		close(done)
	}()
}

// exited is the message about the command's end.
func (c *command) exited() string {
	exitCode, signal := "null", "null"
	status := c.process.status
	killed := false
	if status.Signaled() {
		signal = strconv.Itoa(int(status.Signal()))
		killed = status.Signal() == syscall.SIGKILL
	} else {
		exitCode = strconv.Itoa(status.ExitStatus())
		killed = status.ExitStatus() == 128+int(syscall.SIGKILL)
	}
	// A count that rose is this command's doing if it was killed itself, or if nothing else ran beside it.
	oomKilled := false
	if c.oomKnown && (killed || c.table.ranAlone(c.process)) {
		count, ok := c.table.oom.read()
		oomKilled = ok && count > c.oomBefore
	}
	return `{"event":"exited","exitCode":` + exitCode + `,"signal":` + signal +
		`,"timedOut":` + strconv.FormatBool(c.timedOut) + `,"oomKilled":` + strconv.FormatBool(oomKilled) + `}`
}
