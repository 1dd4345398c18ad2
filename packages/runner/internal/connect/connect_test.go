package connect

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

func start(t *testing.T) *hosttest.Host {
	return hosttest.Start(t, mux.Options{Kinds: map[string]mux.Opener{"connect": Open}})
}

func request(host string, port int) map[string]any {
	return map[string]any{"kind": "connect", "host": host, "port": port}
}

func listen(t *testing.T, address string, serve func(*net.TCPConn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(connection.(*net.TCPConn))
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestBothWays(t *testing.T) {
	for host, address := range map[string]string{"127.0.0.1": "127.0.0.1:0", "::1": "[::1]:0"} {
		port := listen(t, address, func(c *net.TCPConn) {
			text, _ := io.ReadAll(c) // up to the END of the host
			fmt.Fprintf(c, "%d:", len(text))
			_, _ = c.Write(bytes.Repeat([]byte("y"), 300_000))
			c.Close()
		})
		h := start(t)
		id := h.Open(request(host, port))
		h.Send(wire.Data, id, 0, bytes.Repeat([]byte("x"), 20_000))
		h.Send(wire.End, id, 0, nil)
		result := h.Finish(id)
		if result.Messages[0]["event"] != "connected" || len(result.Output[0]) != 300_006 || string(result.Output[0][:6]) != "20000:" || string(result.Ends) != "\x00" {
			t.Fatalf("%s: %v, %d bytes, %v", host, result.Messages, len(result.Output[0]), result.Reset)
		}
	}
}

func TestRefused(t *testing.T) {
	port := listen(t, "127.0.0.1:0", func(*net.TCPConn) {})
	h := start(t)
	for _, c := range []struct {
		host string
		port int
		code string
	}{{"127.0.0.1", 1, "refused"}, {"::1", port, "refused"}, {"127.0.0.1", 0, "invalid"}, {"127.0.0.1", 65536, "invalid"}, {"10.0.0.1", 80, "invalid"}, {"localhost", 80, "invalid"}} {
		if reset := h.Finish(h.Open(request(c.host, c.port))).Reset; reset == nil || reset["code"] != c.code {
			t.Errorf("%s %d: %v", c.host, c.port, reset)
		}
	}
}

func TestHostGivesUp(t *testing.T) {
	over := make(chan struct{})
	port := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		_, _ = io.Copy(io.Discard, c)
		close(over)
	})
	h := start(t)
	id := h.Open(request("127.0.0.1", port))
	h.Next(id)
	h.Send(wire.Reset, id, 0, []byte(`{"code":"cancelled","message":""}`))
	if frame := h.Next(id); frame.Type != wire.Close {
		t.Fatalf("0x%x", frame.Type)
	}
	<-over
}
