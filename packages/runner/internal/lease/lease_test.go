package lease

import (
	"os"
	"testing"
	"time"
)

func wait(l *Lease) chan struct{} {
	over := make(chan struct{})
	go func() {
		l.Wait(func() {})
		close(over)
	}()
	return over
}

func expect(t *testing.T, over chan struct{}, after, before time.Duration) {
	t.Helper()
	start := time.Now()
	select {
	case <-over:
		if passed := time.Since(start); passed < after {
			t.Fatalf("over after %v already", passed)
		}
	case <-time.After(before):
		t.Fatalf("not over after %v", before)
	}
}

func TestSilence(t *testing.T) {
	input, host, _ := os.Pipe()
	defer host.Close()
	expect(t, wait(New(int(input.Fd()), 80*time.Millisecond)), 80*time.Millisecond, time.Second)
}

func TestHeard(t *testing.T) {
	input, host, _ := os.Pipe()
	defer host.Close()
	l := New(int(input.Fd()), 100*time.Millisecond)
	over := wait(l)
	for i := 0; i < 5; i++ {
		time.Sleep(50 * time.Millisecond)
		l.Heard()
	}
	expect(t, over, 60*time.Millisecond, time.Second)
}

func TestNewLimitCountsFromWhatWasHeardLast(t *testing.T) {
	input, host, _ := os.Pipe()
	defer host.Close()
	l := New(int(input.Fd()), time.Hour)
	over := wait(l)
	time.Sleep(20 * time.Millisecond)
	l.SetLimit(60 * time.Millisecond)
	expect(t, over, 20*time.Millisecond, time.Second)
}

// A container that was frozen finds its time over and the host's pings unread.
func TestWhatHasArrivedIsReadFirst(t *testing.T) {
	input, host, _ := os.Pipe()
	defer host.Close()
	_, _ = host.Write([]byte("ping"))
	l := New(int(input.Fd()), 50*time.Millisecond)
	over := wait(l)
	time.Sleep(120 * time.Millisecond) // the reader comes late
	buffer := make([]byte, 10)
	n, _ := input.Read(buffer)
	l.Heard()
	select {
	case <-over:
		t.Fatalf("over although %d bytes had arrived", n)
	case <-time.After(30 * time.Millisecond):
	}
	expect(t, over, 0, time.Second)
}

func TestInputThatNobodyReadsIsNoExcuse(t *testing.T) {
	input, host, _ := os.Pipe()
	defer host.Close()
	_, _ = host.Write([]byte("ping"))
	l := New(int(input.Fd()), 20*time.Millisecond)
	l.grace = time.Millisecond
	expect(t, wait(l), 20*time.Millisecond, 2*time.Second)
}
