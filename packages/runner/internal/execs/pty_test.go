package execs

import (
	"strings"
	"testing"

	"nanoclaw/runner/internal/wire"
)

func TestTerminal(t *testing.T) {
	h := start(t)
	request := shell("stty size; tty; test -t 0 && test -t 1 && test -t 2 && echo all; exit 4")
	request.Pty = &size{Columns: 100, Rows: 40}
	result := h.Finish(h.Open(request))
	expectEnd(t, result, 4, nil, false)
	lines := strings.Split(string(result.Output[0]), "\r\n")
	if lines[0] != "40 100" || !strings.HasPrefix(lines[1], "/dev/pts/") || lines[2] != "all" {
		t.Fatalf("%q", lines)
	}
}

func TestResize(t *testing.T) {
	h := start(t)
	request := shell("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.01; done")
	request.Pty = &size{Columns: 80, Rows: 24}
	id := h.Open(request)
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	h.Message(id, `{"op":"resize","columns":132,"rows":50}`)
	result := h.Finish(id)
	if string(result.Output[0]) != "50 132\r\n" {
		t.Fatalf("%q", result.Output[0])
	}
}

func TestTerminalInput(t *testing.T) {
	h := start(t)
	request := shell("stty -echo; echo ready; cat; echo over")
	request.Pty, request.Stdin = &size{Columns: 80, Rows: 24}, true
	id := h.Open(request)
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	h.Send(wire.Data, id, 0, []byte("one\ntwo"))
	h.Send(wire.End, id, 0, nil)
	result := h.Finish(id)
	expectEndOfTerminal(t, string(result.Output[0]), "one\r\ntwoover\r\n")

	request = shell("trap 'echo int; exit 0' INT; echo ready; while :; do sleep 0.01; done")
	request.Pty, request.Stdin = &size{Columns: 80, Rows: 24}, true
	id = h.Open(request)
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	h.Send(wire.Data, id, 0, []byte{3}) // ^C: the command has the terminal
	result = h.Finish(id)
	if !strings.Contains(string(result.Output[0]), "int\r\n") {
		t.Fatalf("%q", result.Output[0])
	}
}

func expectEndOfTerminal(t *testing.T, found, expected string) {
	t.Helper()
	if found != expected {
		t.Fatalf("expected %q, found %q", expected, found)
	}
}

func TestTerminalOutputIsComplete(t *testing.T) {
	h := start(t)
	for i := 0; i < 30; i++ {
		request := shell("head -c 20000 /dev/zero | tr '\\0' x; echo; (sleep 60 &); exit 0")
		request.Pty = &size{Columns: 80, Rows: 24}
		result := h.Finish(h.Open(request))
		expectEnd(t, result, 0, nil, false)
		if len(result.Output[0]) != 20002 {
			t.Fatalf("%d bytes", len(result.Output[0]))
		}
	}
	table.KillAll()
}
