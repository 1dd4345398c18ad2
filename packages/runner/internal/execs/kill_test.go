package execs

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// detach is a command that leaves processes which have nothing to do with it any more: other session, closed descriptors, no parent.
const detach = "setsid sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & sleep 1000 & exit' </dev/null >/dev/null 2>&1 &"

func TestKillReachesDetachedChildren(t *testing.T) {
	h := start(t)
	id := h.Open(shell(detach + " " + detach + " echo ready; sleep 1000"))
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	eventually(t, "all are there", func() bool { return len(descendants()) >= 5 })
	h.Message(id, `{"op":"kill"}`)
	expectEndAfterStart(t, h.Finish(id).Last(), nil, 9)
	if left := descendants(); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestTimeoutReachesDetachedChildren(t *testing.T) {
	h := start(t)
	request := shell(detach + " sleep 1000")
	request.TimeoutMs = 200
	expectEnd(t, h.Finish(h.Open(request)), nil, 9, true)
	if left := descendants(); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

// With two commands alive the kill of one leaves the other and its children alone; orphans die.
func TestKillSparesOtherCommands(t *testing.T) {
	h := start(t)
	other := h.Open(shell("sleep 1000 & (sleep 1000 & wait) & echo ready; wait"))
	otherPid := awaitStarted(t, h, other)
	awaitLine(t, h, other)
	eventually(t, "its children are there", func() bool { return len(descendants()) == 4 })
	spared := fmt.Sprint(len(descendants()))
	id := h.Open(shell(detach + " sleep 1000 & echo ready; wait"))
	awaitStarted(t, h, id)
	awaitLine(t, h, id)
	eventually(t, "all are there", func() bool { return len(descendants()) >= 8 })
	h.Message(id, `{"op":"kill"}`)
	expectEndAfterStart(t, h.Finish(id).Last(), nil, 9)
	if left := descendants(); fmt.Sprint(len(left)) != spared {
		t.Fatalf("left: %v, expected %s", left, spared)
	}
	for _, pid := range descendants() {
		if info, _ := readProcess(pid); info.stopped() {
			t.Fatalf("%d is stopped", pid)
		}
	}
	if syscall.Kill(otherPid, 0) != nil {
		t.Fatal("the other command is gone")
	}
	h.Message(other, `{"op":"kill"}`)
	h.Finish(other)
	if left := descendants(); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

// A bomb of at most so many processes, beside another live command, so that the slower way of killing is taken.
func TestForkBomb(t *testing.T) {
	h := start(t)
	other := h.Open(run("sleep", "1000"))
	awaitStarted(t, h, other)
	bomb := "n=0; b() { while :; do (trap '' HUP; exec sh -c 'while :; do sleep 0.001 & sleep 0.001; done') & n=$((n+1)); [ $n -gt 60 ] && wait; done; }; b"
	id := h.Open(shell(bomb))
	awaitStarted(t, h, id)
	eventually(t, "many processes", func() bool { return len(descendants()) > 60 })
	begin := time.Now()
	h.Message(id, `{"op":"kill"}`)
	expectEndAfterStart(t, h.Finish(id).Last(), nil, 9)
	took := time.Since(begin)
	eventually(t, "only the other is left", func() bool { return len(descendants()) == 1 })
	if took > time.Second {
		t.Fatalf("killing took %v", took)
	}
	table.KillAll()
	h.Finish(other)
}

func TestZombiesAreReaped(t *testing.T) {
	h := start(t)
	// Every turn leaves an orphan; this process is the one that they come to.
	result := h.Finish(h.Open(shell("i=0; while [ $i -lt 10000 ]; do i=$((i+1)); (: & ) ; done; echo $i")))
	if string(result.Output[0]) != "10000\n" {
		t.Fatalf("%q %v", result.Output, result.Last())
	}
	eventually(t, "no child is left", func() bool {
		for _, info := range readProcesses() {
			if info.parent == os.Getpid() {
				return false
			}
		}
		return true
	})
}

// Starts that wait for a kill come after it, and the commands that they start live.
func TestStartsDuringKills(t *testing.T) {
	h := start(t)
	var ids []uint32
	for i := 0; i < 30; i++ {
		victim := h.Open(shell("sleep 1000 & sleep 1000"))
		h.Message(victim, `{"op":"kill"}`)
		ids = append(ids, h.Open(run("echo", "fine")))
		if end := h.Finish(victim); end.Reset != nil || end.Last()["signal"] != float64(9) {
			t.Fatalf("%v", end)
		}
	}
	for _, id := range ids {
		result := h.Finish(id)
		expectEnd(t, result, 0, nil, false)
		if string(result.Output[0]) != "fine\n" {
			t.Fatalf("%q", result.Output[0])
		}
	}
}

// A payload stops whatever has its uid, and so the child that has not run its program yet. Garbage must not be collected meanwhile (see
// package main): with it this test hangs for good.
func TestStoppedStartsAreContinued(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	stop := make(chan struct{})
	stopped := make(chan struct{})
	defer func() { // before garbage is collected again
		close(stop)
		<-stopped
		table.KillAll()
	}()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			table.mu.Lock()
			forking := table.forking
			table.mu.Unlock()
			if !forking {
				continue
			}
			for pid, info := range readProcesses() {
				if info.parent == os.Getpid() && !info.dead() {
					_ = syscall.Kill(pid, syscall.SIGSTOP)
				}
			}
		}
	}()
	h := start(t)
	var ids []uint32
	for i := 0; i < 20; i++ {
		ids = append(ids, h.Open(run("true")))
	}
	for _, id := range ids { // every one gets started
		awaitStarted(t, h, id)
	}
}

func TestParseStat(t *testing.T) {
	for text, expected := range map[string]procInfo{
		"1 (init) S 0 1":              {parent: 0, state: 'S'},
		"77 (a) b) (c) R 12 77 77 0 ": {parent: 12, state: 'R'},
	} {
		if info, ok := parseStat([]byte(text)); !ok || info != expected {
			t.Errorf("%q: %v", text, info)
		}
	}
	for _, text := range []string{"", "1 (x", "1 (x)", "1 (x) S", "1 (x) S x"} {
		if info, ok := parseStat([]byte(text)); ok && info.parent != 0 {
			t.Errorf("%q: %v", text, info)
		}
	}
}

func expectEndAfterStart(t *testing.T, last map[string]any, exitCode, signal any) {
	t.Helper()
	if fmt.Sprint(last["exitCode"], last["signal"]) != strings.TrimSpace(fmt.Sprint(exitCode, signal)) {
		t.Fatalf("%v", last)
	}
}

// BenchmarkTrue is one command from OPEN to CLOSE.
func BenchmarkTrue(b *testing.B) {
	h := start(b)
	for i := 0; i < b.N; i++ {
		h.Finish(h.Open(run("/bin/true")))
	}
}
