package mux_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

// echo sends back what it gets, then its length.
func echo(stream *mux.Stream, _ []byte) (func(), error) {
	return func() {
		buffer := make([]byte, 10_000)
		total := 0
		for {
			n, err := stream.Read(buffer)
			total += n
			if n > 0 {
				if _, err := stream.Write(buffer[:n]); err != nil {
					stream.Finish(nil)
					return
				}
			}
			if err == io.EOF {
				stream.Finish(func(b *mux.Batch) {
					b.End(0)
					b.Message(map[string]any{"event": "done", "size": total})
				})
				return
			}
			if err != nil {
				stream.Finish(nil)
				return
			}
		}
	}, nil
}

var kinds = map[string]mux.Opener{"echo": echo, "silent": silent, "lazy": lazy}

func TestEchoThroughManyWindows(t *testing.T) {
	h := hosttest.Start(t, mux.Options{Kinds: kinds})
	id := h.Open(map[string]any{"kind": "echo"})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 16_384) // 256 KiB
	go func() {
		for i := 0; i < len(sent); i += 8192 { // what is echoed was consumed
			h.SendRaw(wire.Append(nil, wire.Data, id, 0, sent[i:i+8192]))
			time.Sleep(2 * time.Millisecond)
		}
		h.SendRaw(wire.Append(nil, wire.End, id, 0, nil))
	}()
	result := h.Finish(id)
	if !bytes.Equal(result.Output[0], sent) || result.Last()["size"] != float64(len(sent)) {
		t.Fatalf("%d bytes came back, %v", len(result.Output[0]), result.Last())
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsWrittenBeforeHello(t *testing.T) {
	input, toRunner, _ := os.Pipe()
	var output bytes.Buffer
	session := mux.New(&output, mux.Options{})
	go func() {
		time.Sleep(20 * time.Millisecond)
		session.Goodbye("terminated", time.Second)
		toRunner.Close()
	}()
	if err := session.Run(input); err != nil || output.Len() > 0 {
		t.Fatalf("%v, %q", err, output.Bytes())
	}
}

func TestBadHellos(t *testing.T) {
	for _, hello := range []string{
		`{"protocol":2,"nonce":"` + hosttest.Nonce + `","leaseMs":1}`,
		`{"protocol":1,"nonce":"x","leaseMs":1}`,
		`{"protocol":1,"nonce":"` + hosttest.Nonce + `","leaseMs":0}`,
		`{"protocol":1,"nonce":"` + hosttest.Nonce + `","leaseMs":"1"}`,
		`[]`, `{"protocol":1`,
	} {
		err := mux.New(io.Discard, mux.Options{}).Run(bytes.NewReader(wire.Append(nil, wire.Hello, 0, 0, []byte(hello))))
		if _, ok := err.(*wire.Violation); !ok {
			t.Errorf("%s: %v", hello, err)
		}
	}
	err := mux.New(io.Discard, mux.Options{}).Run(bytes.NewReader(wire.Append(nil, wire.Ping, 0, 0, make([]byte, 8))))
	if _, ok := err.(*wire.Violation); !ok {
		t.Errorf("PING in place of HELLO: %v", err)
	}
}

func TestUnknownKindAndRefusal(t *testing.T) {
	h := hosttest.Start(t, mux.Options{Kinds: map[string]mux.Opener{
		"refused": func(*mux.Stream, []byte) (func(), error) { return nil, &mux.Refusal{Code: "invalid", Message: "so"} },
	}})
	if code := h.Finish(h.Open(map[string]any{"kind": "nonsense"})).Reset["code"]; code != "unknown-kind" {
		t.Error(code)
	}
	if code := h.Finish(h.Open(map[string]any{"kind": "refused"})).Reset["code"]; code != "invalid" {
		t.Error(code)
	}
}

func TestCloseIsAnsweredAndIDsGrow(t *testing.T) {
	h := hosttest.Start(t, mux.Options{Kinds: kinds})
	id := h.Open(map[string]any{"kind": "silent"})
	h.Send(wire.Close, id, 0, nil)
	if frame := h.Next(id); frame.Type != wire.Close {
		t.Fatalf("0x%x", frame.Type)
	}
	h.Send(wire.Open, id, 0, []byte(`{"kind":"silent"}`))
	if _, ok := h.Stop().(*wire.Violation); !ok {
		t.Fatal("an id may be used twice")
	}
}

func TestAtMost128Streams(t *testing.T) {
	h := hosttest.Start(t, mux.Options{Kinds: kinds})
	for i := 0; i < 128; i++ {
		h.Open(map[string]any{"kind": "silent"})
	}
	h.Send(wire.Ping, 0, 0, []byte("12345678"))
	if frame := h.Next(0); frame.Type != wire.Pong || string(frame.Payload) != "12345678" {
		t.Fatalf("0x%x %q", frame.Type, frame.Payload)
	}
	h.Open(map[string]any{"kind": "silent"})
	if _, ok := h.Stop().(*wire.Violation); !ok {
		t.Fatal("129 streams are allowed")
	}
}

// stalled is a channel whose host doesn't read.
type stalled struct{ release chan struct{} }

func (s stalled) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

// TestStalledOutput: while nobody reads, what arrives is still read; and what waits is bounded.
func TestStalledOutput(t *testing.T) {
	input, toRunner, _ := os.Pipe()
	heard := make(chan struct{}, 1)
	flood := func(stream *mux.Stream, _ []byte) (func(), error) {
		return func() {
			_, _ = stream.Write(make([]byte, 1<<20))
			stream.Finish(nil)
		}, nil
	}
	channel := stalled{make(chan struct{})}
	defer close(channel.release)
	lifetimes := 0
	session := mux.New(channel, mux.Options{
		Kinds:    map[string]mux.Opener{"flood": flood},
		Lifetime: func(time.Duration) { lifetimes++; heard <- struct{}{} },
	})
	ended := make(chan error, 1)
	go func() { ended <- session.Run(input) }()
	send := func(bytes []byte) { _, _ = toRunner.Write(bytes) }
	send(wire.Append(nil, wire.Hello, 0, 0, []byte(`{"protocol":1,"nonce":"`+hosttest.Nonce+`","leaseMs":1000,"rlimits":{}}`)))
	for id := uint32(1); id < 40; id += 2 {
		send(wire.Append(nil, wire.Open, id, 0, []byte(`{"kind":"flood"}`)))
		send(wire.AppendCredit(nil, id, 0, 1<<20-32768))
	}
	for i := 0; i < 3; i++ {
		for j := 0; j < 1000; j++ {
			send(wire.Append(nil, wire.Ping, 0, 0, []byte("12345678")))
		}
		send(wire.Append(nil, wire.Control, 0, 0, []byte(`{"op":"lifetime","remainingMs":1}`)))
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Fatal("input isn't read while the output stalls")
		}
	}
	go func() {
		for i := 0; i < 100; i++ { // 18 bytes of answer each: far more than may wait
			send(bytes.Repeat(wire.Append(nil, wire.Ping, 0, 0, []byte("12345678")), 1000))
		}
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "stopped reading") {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("answers pile up without end")
	}
}

func TestGoodbyeIsTheLastFrame(t *testing.T) {
	h := hosttest.Start(t, mux.Options{Kinds: kinds})
	h.Session.Goodbye("lifetime", time.Second)
	h.Send(wire.Ping, 0, 0, []byte("12345678"))
	h.Open(map[string]any{"kind": "nonsense"})
	if frame := h.Next(0); frame.Type != wire.Goodbye || string(frame.Payload) != `{"reason":"lifetime"}` {
		t.Fatalf("0x%x %s", frame.Type, frame.Payload)
	}
	h.CloseInput()
	if err := <-h.Ended; err != nil {
		t.Fatal(err)
	}
}

func TestControl(t *testing.T) {
	got := make(chan time.Duration, 1)
	h := hosttest.Start(t, mux.Options{Lifetime: func(d time.Duration) { got <- d }})
	h.Send(wire.Control, 0, 0, []byte(`{"op":"lifetime","remainingMs":1500}`))
	if d := <-got; d != 1500*time.Millisecond {
		t.Fatal(d)
	}
	h.Send(wire.Control, 0, 0, []byte(`{"op":"lifetime","remainingMs":-1}`))
	if err := h.Stop(); err == nil {
		t.Fatal("a lifetime below 0 is taken")
	}
}

func FuzzSession(f *testing.F) {
	hello := wire.Append(nil, wire.Hello, 0, 0, []byte(fmt.Sprintf(`{"protocol":1,"nonce":%q,"leaseMs":30000,"rlimits":{}}`, hosttest.Nonce)))
	open := wire.Append(nil, wire.Open, 1, 0, []byte(`{"kind":"echo"}`))
	f.Add(append(append([]byte{}, open...), wire.Append(nil, wire.Data, 1, 0, []byte("abc"))...))
	f.Add(append(append([]byte{}, open...), wire.Append(nil, wire.Reset, 1, 0, []byte(`{"code":"a","message":"b"}`))...))
	f.Add(append(wire.Append(nil, wire.Open, 3, 0, []byte(`{"kind":"silent"}`)), wire.Append(nil, wire.Message, 3, 0, []byte(`{"op":"kill"}`))...))
	f.Fuzz(func(t *testing.T, input []byte) {
		var output bytes.Buffer
		session := mux.New(&output, mux.Options{Kinds: kinds})
		done := make(chan struct{})
		go func() {
			_ = session.Run(io.MultiReader(bytes.NewReader(hello), bytes.NewReader(input)))
			session.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("hangs")
		}
	})
}
