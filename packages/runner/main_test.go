package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/wire"
)

// TestMain runs as the runner itself where the tests start it.
func TestMain(m *testing.M) {
	if os.Getenv("NANOCLAW_TEST_AS_RUNNER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type child struct {
	*exec.Cmd
	t      *testing.T
	input  io.WriteCloser
	reader *wire.Reader
	stderr bytes.Buffer
}

func startRunner(t *testing.T, leaseMs int) *child {
	t.Helper()
	c := &child{Cmd: exec.Command("/proc/self/exe"), t: t}
	c.Env = []string{"NANOCLAW_TEST_AS_RUNNER=1", "SECRET=x"}
	c.Cmd.Stderr = &c.stderr
	c.input, _ = c.StdinPipe()
	output, _ := c.StdoutPipe()
	c.reader = wire.NewReader(output)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	if leaseMs > 0 {
		c.send(wire.Hello, 0, fmt.Sprintf(`{"protocol":1,"nonce":%q,"leaseMs":%d,"user":{"uid":0,"gid":0},`+
			`"rlimits":{"nofile":512,"nproc":null,"core":0,"fsize":null},"maskedPaths":["/proc/kcore"]}`, hosttest.Nonce, leaseMs))
		if frame := c.next(); frame.Type != wire.Welcome || wire.CheckJSON(frame.Payload) != nil ||
			!bytes.Contains(frame.Payload, []byte(`"nofile":[512,512]`)) || !bytes.Contains(frame.Payload, []byte(`"dumpable":0`)) {
			t.Fatalf("0x%x %s", frame.Type, frame.Payload)
		}
	}
	return c
}

func (c *child) send(kind byte, stream uint32, payload string) {
	_, _ = c.input.Write(wire.AppendText(nil, kind, stream, payload))
}

func (c *child) next() wire.Frame {
	c.t.Helper()
	frame, err := c.reader.Next()
	if err != nil {
		c.t.Fatalf("%v; %s", err, c.stderr.String())
	}
	return frame
}

// run starts a command and waits until it has written a line.
func (c *child) run(stream uint32, script string) string {
	c.t.Helper()
	c.send(wire.Open, stream, fmt.Sprintf(`{"kind":"exec","argv":["sh","-c",%q],"env":{"PATH":"/usr/bin:/bin"},"cwd":"/","timeoutMs":0,"killGraceMs":0,"stdin":false,"pty":null}`, script))
	for {
		switch frame := c.next(); frame.Type {
		case wire.Data:
			return strings.TrimSpace(string(frame.Payload))
		case wire.Message:
		default:
			c.t.Fatalf("0x%x %s", frame.Type, frame.Payload)
		}
	}
}

func (c *child) expectExit(code int, within time.Duration, says string) {
	c.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
	case <-time.After(within):
		c.t.Fatal("doesn't exit")
	}
	if c.ProcessState.ExitCode() != code || !strings.Contains(c.stderr.String(), says) {
		c.t.Fatalf("%v, %q", c.ProcessState, c.stderr.String())
	}
}

func TestEndOfInput(t *testing.T) {
	c := startRunner(t, 30_000)
	pid := c.run(1, "setsid sleep 1000 >/dev/null 2>&1 & echo $!; wait")
	c.input.Close()
	c.expectExit(0, 5*time.Second, "")
	if text, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !bytes.Contains(text, []byte(") Z")) {
		t.Fatalf("the command lives on: %s", text)
	}
	c = startRunner(t, 0)
	c.input.Close()
	c.expectExit(0, 5*time.Second, "")
	if c.stderr.Len() > 0 {
		t.Fatal(c.stderr.String())
	}
}

func TestLeaseLapses(t *testing.T) {
	startRunner(t, 300).expectExit(3, 5*time.Second, "lease")
}

func TestViolation(t *testing.T) {
	c := startRunner(t, 30_000)
	c.send(wire.Data, 1, "x")
	c.expectExit(2, 5*time.Second, "not open")
	c = startRunner(t, 0)
	_, _ = io.WriteString(c.input, "GET / HTTP/1.1\r\n\r\n")
	c.expectExit(2, 5*time.Second, "violation")
}

func TestUsage(t *testing.T) {
	command := exec.Command("/proc/self/exe", "--help")
	command.Env = []string{"NANOCLAW_TEST_AS_RUNNER=1"}
	if output, _ := command.CombinedOutput(); command.ProcessState.ExitCode() != 64 || len(output) == 0 {
		t.Fatalf("%v %s", command.ProcessState, output)
	}
}

func TestSignals(t *testing.T) {
	c := startRunner(t, 30_000)
	for number := syscall.Signal(1); number <= 64; number++ {
		if number == 32 || number == 34 { // Go can't catch them; what isn't caught does nothing to PID 1 of a container
			continue
		}
		if number != syscall.SIGKILL && number != syscall.SIGSTOP && number != syscall.SIGTERM {
			if err := c.Process.Signal(number); err != nil {
				t.Fatal(number, err)
			}
		}
	}
	c.send(wire.Ping, 0, "12345678")
	if frame := c.next(); frame.Type != wire.Pong {
		t.Fatalf("0x%x", frame.Type)
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	if frame := c.next(); frame.Type != wire.Goodbye || string(frame.Payload) != `{"reason":"terminated"}` {
		t.Fatalf("0x%x %s", frame.Type, frame.Payload)
	}
	c.expectExit(0, 5*time.Second, "")
}

func TestLifetime(t *testing.T) {
	c := startRunner(t, 30_000)
	c.send(wire.Control, 0, `{"op":"lifetime","remainingMs":50}`)
	c.send(wire.Control, 0, `{"op":"lifetime","remainingMs":300}`)
	begin := time.Now()
	if frame := c.next(); frame.Type != wire.Goodbye || string(frame.Payload) != `{"reason":"lifetime"}` {
		t.Fatalf("0x%x %s", frame.Type, frame.Payload)
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Fatal(took)
	}
	c.expectExit(0, 5*time.Second, "")
}

// The end doesn't wait for a host that doesn't read.
func TestEndWithStalledOutput(t *testing.T) {
	c := startRunner(t, 30_000)
	for stream := uint32(1); stream < 20; stream += 2 {
		c.send(wire.Open, stream, `{"kind":"exec","argv":["/usr/bin/yes"],"env":{},"cwd":"/","timeoutMs":0,"killGraceMs":0,"stdin":false,"pty":null}`)
	}
	time.Sleep(200 * time.Millisecond)
	_ = c.Process.Signal(syscall.SIGTERM)
	c.expectExit(0, 5*time.Second, "")
}

func TestEnvironmentIsForgotten(t *testing.T) {
	c := startRunner(t, 30_000)
	if found := c.run(1, "env; echo PWD"); strings.Contains(found, "SECRET") {
		t.Fatal(found)
	}
}
