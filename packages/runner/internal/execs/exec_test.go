package execs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nanoclaw/runner/internal/wire"
)

func TestOutputAndExitCode(t *testing.T) {
	h := start(t)
	result := h.Finish(h.Open(shell("echo out; echo err >&2; exit 3")))
	expectEnd(t, result, 3, nil, false)
	if string(result.Output[0]) != "out\n" || string(result.Output[1]) != "err\n" {
		t.Fatalf("%q", result.Output)
	}
}

func TestEndBySignal(t *testing.T) {
	h := start(t)
	expectEnd(t, h.Finish(h.Open(shell("kill -SEGV $$"))), nil, 11, false)
}

func TestEnvironmentIsExactly(t *testing.T) {
	h := start(t)
	request := run("/usr/bin/env")
	request.Env = map[string]string{"ONLY": "this=one"}
	result := h.Finish(h.Open(request))
	if string(result.Output[0]) != "ONLY=this=one\n" {
		t.Fatalf("%q", result.Output[0])
	}
}

func TestStdin(t *testing.T) {
	h := start(t)
	request := run("cat")
	request.Stdin = true
	id := h.Open(request)
	h.Send(wire.Data, id, 0, []byte("hel"))
	h.Send(wire.Data, id, 0, []byte("lo"))
	h.Send(wire.End, id, 0, nil)
	result := h.Finish(id)
	expectEnd(t, result, 0, nil, false)
	if string(result.Output[0]) != "hello" {
		t.Fatalf("%q", result.Output[0])
	}
	result = h.Finish(h.Open(run("cat")))
	expectEnd(t, result, 0, nil, false)
}

func TestStdinThatNobodyReads(t *testing.T) {
	h := start(t)
	request := shell("exec <&-; sleep 0.1")
	request.Stdin = true
	id := h.Open(request)
	h.Send(wire.Data, id, 0, make([]byte, 32768))
	h.Send(wire.End, id, 0, nil)
	expectEnd(t, h.Finish(id), 0, nil, false)
	request = shell("sleep 0.1") // never reads, keeps it open
	request.Stdin = true
	id = h.Open(request)
	h.Send(wire.Data, id, 0, make([]byte, 32768))
	expectEnd(t, h.Finish(id), 0, nil, false)
}

func TestOnlyThreeDescriptorsAndDefaultSignals(t *testing.T) {
	h := start(t)
	result := h.Finish(h.Open(shell("ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; awk '{print $6 == $1}' /proc/self/stat")))
	expected := "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n" // 3 is ls's own; awk is not the session's leader
	if string(result.Output[0]) != expected {
		t.Fatalf("%q", result.Output[0])
	}
}

func TestStartErrors(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := write("script", "#!/no/such/interpreter -x\n", 0o755)
	nonsense := write("nonsense", "\x01\x02\x03", 0o755)
	plain := write("plain", "x", 0o644)
	in := func(cwd string) exec {
		request := run("true")
		request.Cwd = cwd
		return request
	}
	noPath := run("true")
	noPath.Env = map[string]string{}
	badName := run("true")
	badName.Env["A=B"] = "x"
	many := run("true")
	for i := 0; i < 9; i++ {
		many.Argv = append(many.Argv, strings.Repeat("x", 100_000))
	}
	for _, c := range []struct {
		name    string
		request exec
		code    string
		names   string
	}{
		{"missing", run("/no/such/command"), "not-found", "/no/such/command"},
		{"not in PATH", run("no-such-command"), "not-found", "PATH"},
		{"no PATH", noPath, "not-found", "PATH"},
		{"interpreter", run(script), "not-found", "/no/such/interpreter"},
		{"a file on the way", run(plain + "/x"), "not-found", "no directory"},
		{"not executable", run(plain), "not-executable", plain},
		{"format", run(nonsense), "bad-format", nonsense},
		{"directory", run(directory), "is-directory", directory},
		{"cwd", in("/no/such/directory"), "not-found", "/no/such/directory"},
		{"cwd is a file", in(plain), "not-directory", plain},
		{"long argument", run("true", strings.Repeat("x", 131_072)), "too-long", "argument 1"},
		{"NUL", run("true", "a\x00b"), "invalid", "argument 1"},
		{"variable", badName, "invalid", "A=B"},
		{"no argv", run(), "invalid", "argv"},
	} {
		h := start(t)
		reset := h.Finish(h.Open(c.request)).Reset
		if reset == nil || reset["code"] != c.code || !strings.Contains(reset["message"].(string), c.names) {
			t.Errorf("%s: expected %s naming %q, found %v", c.name, c.code, c.names, reset)
		}
	}
	h := start(t)
	expectEnd(t, h.Finish(h.Open(many)), 0, nil, false) // 900 KB are fine, the longest argument is 131,071 bytes
	expectEnd(t, h.Finish(h.Open(run("true", strings.Repeat("x", 131_071)))), 0, nil, false)
}

func TestKernelRefusesTooMuch(t *testing.T) {
	h := start(t)
	request := shell("ulimit -S -s 256; exec true $A $A")
	result := h.Finish(h.Open(request))
	expectEnd(t, result, 0, nil, false)
	r, err := parseRequest([]byte(`{"kind":"exec","argv":["/bin/true"],"env":{},"cwd":"/"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 60; i++ {
		r.Argv = append(r.Argv, strings.Repeat("x", 131_000))
	}
	c := &command{table: table, request: r}
	refusal := c.start()
	if refusal == nil || !strings.HasPrefix(refusal.Error(), "too-long") {
		t.Fatal(refusal)
	}
}

func TestTimeouts(t *testing.T) {
	h := start(t)
	request := run("sleep", "60")
	request.TimeoutMs = 50
	expectEnd(t, h.Finish(h.Open(request)), nil, 9, true)

	request = shell("trap 'echo term; exit 7' TERM; while :; do sleep 0.01; done")
	request.TimeoutMs, request.KillGraceMs = 100, 20_000
	result := h.Finish(h.Open(request))
	expectEnd(t, result, 7, nil, true)
	if string(result.Output[0]) != "term\n" {
		t.Fatalf("%q", result.Output[0])
	}

	request = shell("trap '' TERM INT HUP QUIT; echo ready; while :; do sleep 0.01; done")
	request.TimeoutMs, request.KillGraceMs = 100, 100
	begin := time.Now()
	result = h.Finish(h.Open(request))
	expectEnd(t, result, nil, 9, true)
	if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
		t.Fatal(took)
	}
	if string(result.Output[0]) != "ready\n" {
		t.Fatalf("%q", result.Output[0])
	}
}

func TestSignalGoesToTheGroup(t *testing.T) {
	h := start(t)
	id := h.Open(shell("(trap 'echo child' USR1; echo ready; read x <&2; sleep 5 & wait) & trap 'wait; echo root; exit 0' USR1; wait"))
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	time.Sleep(50 * time.Millisecond)
	h.Message(id, `{"op":"signal","signal":10}`)
	time.Sleep(50 * time.Millisecond)
	h.Message(id, `{"op":"kill"}`)
	result := h.Finish(id)
	if !strings.Contains(string(result.Output[0]), "child") {
		t.Fatalf("%q", result.Output[0])
	}
}

// The command writes 64 MiB to a host that takes it slowly, and nothing is lost or reordered.
func TestBackpressure(t *testing.T) {
	h := start(t)
	h.Credit = false
	const total = 64 << 20
	id := h.Open(shell("i=0; while [ $i -lt 64 ]; do i=$((i+1)); printf '%08d' $i; head -c 1048568 /dev/zero; done"))
	awaitStarted(t, h, id)
	received, credit := 0, 32768
	for received < total {
		if credit == 0 {
			if received == 32768 {
				time.Sleep(300 * time.Millisecond) // meanwhile the pipe is full and the command blocks
			}
			credit = 32768
			h.Grant(id, 0, credit)
		}
		frame := h.Next(id)
		if frame.Type != wire.Data {
			t.Fatalf("0x%x after %d bytes: %s", frame.Type, received, frame.Payload)
		}
		if received%(1<<20) == 0 && !bytes.HasPrefix(frame.Payload, []byte("0000")) {
			t.Fatalf("at %d: %q", received, frame.Payload[:8])
		}
		received += len(frame.Payload)
		if credit -= len(frame.Payload); credit < 0 {
			t.Fatal("more than was credited")
		}
	}
	result := h.Finish(id)
	if received != total || result.Last()["exitCode"] != float64(0) {
		t.Fatalf("%d bytes, %v", received, result.Last())
	}
}

func TestOutputWrittenBeforeTheEndIsComplete(t *testing.T) {
	h := start(t)
	for i := 0; i < 30; i++ {
		result := h.Finish(h.Open(shell("head -c 65536 /dev/zero; kill -9 $$")))
		expectEnd(t, result, nil, 9, false)
		if len(result.Output[0]) != 65536 {
			t.Fatalf("%d bytes", len(result.Output[0]))
		}
	}
}

// A command without credit can't end, and once it gets credit nothing is missing.
func TestEndWaitsForCredit(t *testing.T) {
	h := start(t)
	h.Credit = false
	id := h.Open(shell("head -c 90000 /dev/zero"))
	pid := awaitStarted(t, h, id)
	received := 0
	for received < 32768 {
		received += len(h.Next(id).Payload)
	}
	eventually(t, "the command ends", func() bool { _, there := readProcess(pid); return !there })
	h.Credit = true
	h.Grant(id, 0, 32768)
	result := h.Finish(id)
	if received += len(result.Output[0]); received != 90000 || result.Last()["event"] != "exited" {
		t.Fatalf("%d bytes, %v", received, result.Last())
	}
}

// All credit is used by all that there is: nothing more is needed to end.
func TestEndNeedsNoCredit(t *testing.T) {
	h := start(t)
	h.Credit = false
	for _, terminal := range []*size{nil, {Columns: 80, Rows: 24}} {
		request := shell("head -c 32768 /dev/zero")
		request.Pty = terminal
		result := h.Finish(h.Open(request))
		expectEnd(t, result, 0, nil, false)
		if len(result.Output[0]) != 32768 {
			t.Fatalf("%d bytes", len(result.Output[0]))
		}
	}
}

// A background child holds the pipe: the end is told at once, and the child is neither blocked nor killed by SIGPIPE.
func TestBackgroundChildren(t *testing.T) {
	h := start(t)
	flag := filepath.Join(t.TempDir(), "flag")
	begin := time.Now()
	result := h.Finish(h.Open(shell("(sleep 0.3; head -c 300000 /dev/zero; echo ok > " + flag + ") & echo now")))
	expectEnd(t, result, 0, nil, false)
	if time.Since(begin) > 250*time.Millisecond || string(result.Output[0]) != "now\n" {
		t.Fatalf("%v, %q", time.Since(begin), result.Output[0])
	}
	eventually(t, "the child goes on", func() bool { text, _ := os.ReadFile(flag); return string(text) == "ok\n" })
}

// A background child that floods the pipe doesn't put off the end.
func TestBackgroundFlood(t *testing.T) {
	h := start(t)
	result := h.Finish(h.Open(shell("yes & sleep 0.05; echo $!")))
	expectEnd(t, result, 0, nil, false)
	table.KillAll()
}

func TestHostClosesAndResets(t *testing.T) {
	h := start(t)
	h.Credit = false // none may be given after a RESET
	id := h.Open(shell("yes & yes >&2 & wait"))
	awaitStarted(t, h, id)
	h.Send(wire.Reset, id, 0, []byte(`{"code":"cancelled","message":""}`))
	for h.Next(id).Type != wire.Close {
	}
	if left := descendants(); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}

	flag := filepath.Join(t.TempDir(), "flag")
	id = h.Open(shell("head -c 300000 /dev/zero; sleep 0.1; echo ok > " + flag))
	awaitStarted(t, h, id)
	h.Send(wire.Close, id, 0, nil) // the output is unwanted, the command is not
	for h.Next(id).Type != wire.Close {
	}
	if text, _ := os.ReadFile(flag); string(text) != "ok\n" {
		t.Fatal("the command was ended by CLOSE")
	}
}

func TestUnknownOpIsAViolation(t *testing.T) {
	h := start(t)
	id := h.Open(run("sleep", "60"))
	awaitStarted(t, h, id)
	h.Message(id, `{"op":"dance"}`)
	if _, ok := h.Stop().(*wire.Violation); !ok {
		t.Fatal("taken")
	}
	h.Session.Wait()
	if left := descendants(); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}
