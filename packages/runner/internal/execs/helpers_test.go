package execs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

var table *Table

// TestMain makes orphans come to this process, as they come to PID 1. Only one table may reap in one process.
func TestMain(m *testing.M) {
	const setChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		panic(errno)
	}
	SealDescriptors()
	table = NewTable(false)
	os.Exit(m.Run())
}

func start(t testing.TB) *hosttest.Host {
	return hosttest.Start(t, mux.Options{Kinds: map[string]mux.Opener{"exec": table.Open}})
}

type exec struct {
	Kind        string            `json:"kind"`
	Argv        []string          `json:"argv"`
	Env         map[string]string `json:"env"`
	Cwd         string            `json:"cwd"`
	TimeoutMs   int               `json:"timeoutMs"`
	KillGraceMs int               `json:"killGraceMs"`
	Stdin       bool              `json:"stdin"`
	Pty         *size             `json:"pty"`
}

func run(argv ...string) exec {
	return exec{Kind: "exec", Argv: argv, Env: map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin"}, Cwd: "/"}
}

func shell(script string) exec { return run("sh", "-c", script) }

// expectEnd checks the two messages of a command.
func expectEnd(t testing.TB, result hosttest.Result, exitCode, signal any, timedOut bool) {
	t.Helper()
	if result.Reset != nil {
		t.Fatalf("reset: %v", result.Reset)
	}
	if len(result.Messages) != 2 || result.Messages[0]["event"] != "started" || string(result.Ends) != "\x00\x01" {
		t.Fatalf("expected started, both ends and exited; found %v, ends %v", result.Messages, result.Ends)
	}
	expected := fmt.Sprint(map[string]any{"event": "exited", "exitCode": exitCode, "signal": signal, "timedOut": timedOut, "oomKilled": false})
	if found := fmt.Sprint(result.Last()); found != expected {
		t.Fatalf("expected %s, found %s", expected, found)
	}
}

// awaitStarted waits for the pid of a command.
func awaitStarted(t testing.TB, h *hosttest.Host, id uint32) int {
	t.Helper()
	frame := h.Next(id)
	text := strings.TrimSuffix(strings.TrimPrefix(string(frame.Payload), `{"event":"started","pid":`), "}")
	pid, err := strconv.Atoi(text)
	if frame.Type != wire.Message || err != nil {
		t.Fatalf("expected started, found 0x%x %s", frame.Type, frame.Payload)
	}
	return pid
}

// awaitLine reads stdout until it has a line.
func awaitLine(t testing.TB, h *hosttest.Host, id uint32) string {
	t.Helper()
	var text string
	for !strings.Contains(text, "\n") {
		frame := h.Next(id)
		if frame.Type != wire.Data {
			t.Fatalf("expected data, found 0x%x %s", frame.Type, frame.Payload)
		}
		text += string(frame.Payload)
	}
	return strings.TrimSpace(text)
}

// descendants are the live processes below this one.
func descendants() []int {
	var found []int
	processes := readProcesses()
	for pid := range processes {
		for up := pid; up > 1; {
			info, known := processes[up]
			if !known || info.dead() {
				break
			}
			if up = info.parent; up == os.Getpid() {
				found = append(found, pid)
				break
			}
		}
	}
	return found
}

func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
