package execs

import (
	"syscall"
)

// start makes the command's process, or leaves c.process nil where the host gave up before.
func (c *command) start() error {
	path, err := c.request.lookUp()
	if err != nil {
		return err
	}
	if c.request.Pty != nil {
		c.io, err = openPty(c.stream, *c.request.Pty)
	} else {
		c.io, err = openPipes(c.stream, c.request.Stdin)
	}
	if err != nil {
		return c.request.explainStart(path, err)
	}
	attributes := &syscall.ProcAttr{
		Dir:   c.request.Cwd,
		Env:   c.request.environment,
		Files: c.io.child[:],
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: c.io.pty, Ctty: 0},
	}
	c.oomBefore, c.oomKnown = c.table.oom.current()
	c.process, err = c.table.start(c.reset.Load, func() (int, error) {
		return syscall.ForkExec(path, c.request.Argv, attributes)
	})
	if err != nil || c.process == nil {
		c.io.abandon()
	} else {
		c.io.started()
	}
	if err != nil {
		return c.request.explainStart(path, err)
	}
	return nil
}
