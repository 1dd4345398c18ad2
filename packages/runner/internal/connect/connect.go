// Package connect serves `connect`: a TCP connection to a port inside the container.
package connect

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"nanoclaw/runner/internal/buffers"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

const dialLimit = 10 * time.Second

// Open serves `connect`.
func Open(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	}
	if err := wire.DecodeJSON(open, &request); err != nil {
		return nil, err
	}
	if request.Host != "127.0.0.1" && request.Host != "::1" {
		return nil, &mux.Refusal{Code: "invalid", Message: fmt.Sprintf("expected host 127.0.0.1 or ::1, found %.100q", request.Host)}
	}
	if request.Port < 1 || request.Port > 65535 {
		return nil, &mux.Refusal{Code: "invalid", Message: fmt.Sprintf("expected a port from 1 to 65535, found %d", request.Port)}
	}
	c := &connection{stream: stream}
	stream.SetHooks(mux.Hooks{Gone: c.gone})
	return func() { c.run(request.Host, request.Port) }, nil
}

type connection struct {
	stream *mux.Stream
	mu     sync.Mutex
	file   *os.File
	over   bool
}

// gone: a stream that the host has closed carries nothing any more.
func (c *connection) gone(bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.file != nil {
		_ = c.file.SetDeadline(time.Unix(1, 0))
	}
}

func (c *connection) run(host string, port int) {
	file, err := dial(host, port)
	if err != nil {
		code := "io"
		switch err {
		case syscall.ECONNREFUSED, syscall.ETIMEDOUT, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EAFNOSUPPORT:
			code = "refused"
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS:
			code = "limit"
		}
		c.stream.Fail(code, fmt.Sprintf("port %d of %s: %v", port, host, err))
		return
	}
	defer file.Close()
	c.mu.Lock()
	c.file = file
	if c.over {
		_ = file.SetDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.stream.Send(func(b *mux.Batch) { b.MessageText(`{"event":"connected"}`) })
	sent := make(chan struct{})
	go func() {
		c.toPeer(file)
		close(sent)
	}()
	c.fromPeer(file)
	c.stream.Send(func(b *mux.Batch) { b.End(0) })
	<-sent
	c.stream.Finish(nil)
}

// toPeer sends what the host sends, until its END or until nobody takes it.
func (c *connection) toPeer(file *os.File) {
	broken, bulk := false, false
	for {
		c.stream.Await()
		buffer := buffers.Get(bulk)
		n, err := c.stream.Read(buffer.Bytes)
		if n > 0 && !broken {
			_, writeErr := file.Write(buffer.Bytes[:n])
			broken = writeErr != nil
		}
		bulk = n >= buffers.SmallBytes
		buffer.Return()
		if err != nil {
			break
		}
	}
	control(file, func(fd int) { _ = syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// fromPeer sends the host what the peer sends, until it ends.
func (c *connection) fromPeer(file *os.File) {
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	source := buffers.Source{Raw: raw}
	for {
		allowance, open := c.stream.Allowance(0, nil)
		if !open {
			return
		}
		buffer, n, err := source.Next(allowance)
		if n > 0 {
			c.stream.Data(0, buffer.Bytes[:n])
			buffer.Return()
		}
		if err != nil || n <= 0 {
			return
		}
	}
}
