package execs

import (
	"syscall"

	"nanoclaw/runner/internal/wire"
)

// ops are the host's wishes that were not obeyed yet. Like pending signals they don't queue: this is all they can take up.
type ops struct {
	signals uint64
	kill    bool
	window  *size
}

// message takes a MESSAGE of the host's.
func (c *command) message(text []byte) error {
	var m struct {
		Op      string  `json:"op"`
		Signal  int     `json:"signal"`
		Columns *uint16 `json:"columns"`
		Rows    *uint16 `json:"rows"`
	}
	if err := wire.DecodeJSON(text, &m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.Op == "signal" && m.Signal >= 1 && m.Signal <= 64:
		c.ops.signals |= 1 << uint(m.Signal-1)
	case m.Op == "kill":
		c.ops.kill = true
	case m.Op == "resize" && m.Columns != nil && m.Rows != nil:
		c.ops.window = &size{*m.Columns, *m.Rows}
	default:
		return wire.Violationf("an op that is not understood")
	}
	c.poke()
	return nil
}

// obey does what the host wished since the last time.
func (c *command) obey() {
	c.mu.Lock()
	wishes := c.ops
	c.ops = ops{}
	c.mu.Unlock()
	if c.reset.Load() && !c.killed {
		wishes.kill = true
	}
	if wishes.window != nil && c.io.pty {
		if raw, err := c.io.input.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = setWindow(int(fd), *wishes.window) })
		}
	}
	for number := 1; wishes.signals != 0; number++ {
		if wishes.signals&1 != 0 {
			c.table.signal(c.process, syscall.Signal(number))
		}
		wishes.signals >>= 1
	}
	if wishes.kill {
		c.kill()
	}
}
