// Package hosttest is a small host for tests: it speaks the other side of the protocol and checks what the runner sends.
package hosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

// Nonce of the handshake.
const Nonce = "00112233445566778899aabbccddeeff"

const patience = 30 * time.Second

// Frame is a frame that the runner sent.
type Frame struct {
	Type    byte
	Lane    byte
	Payload []byte
}

// Host is connected to a session that runs in this process.
type Host struct {
	T       testing.TB
	Session *mux.Session
	// Credit is given for all data at once; a slow host sets it false.
	Credit bool
	Ended  chan error

	toRunner   *os.File
	fromRunner *os.File
	reader     *wire.Reader
	nextID     uint32
	waiting    map[uint32][]Frame
}

// Start makes a session with these options and greets it.
func Start(t testing.TB, options mux.Options) *Host {
	t.Helper()
	input, toRunner, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromRunner, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{
		T: t, Credit: true, toRunner: toRunner, fromRunner: fromRunner, reader: wire.NewReader(fromRunner), nextID: 1,
		waiting: map[uint32][]Frame{}, Ended: make(chan error, 1),
	}
	h.Session = mux.New(output, options)
	go func() {
		err := h.Session.Run(input)
		output.Close()
		h.Ended <- err
	}()
	t.Cleanup(func() {
		toRunner.Close()
		fromRunner.Close()
	})
	h.Send(wire.Hello, 0, 0, []byte(`{"protocol":1,"nonce":"`+Nonce+`","leaseMs":30000,"user":{"uid":1,"gid":1},`+
		`"rlimits":{"nofile":null,"nproc":null,"core":0,"fsize":null},"maskedPaths":[]}`))
	if frame := h.Next(0); frame.Type != wire.Welcome {
		t.Fatalf("expected WELCOME, got type 0x%x", frame.Type)
	}
	return h
}

// Send writes one frame.
func (h *Host) Send(kind byte, stream uint32, lane byte, payload []byte) {
	h.T.Helper()
	if _, err := h.toRunner.Write(wire.Append(nil, kind, stream, lane, payload)); err != nil {
		h.T.Fatalf("sending to the runner: %v", err)
	}
}

// SendRaw writes bytes, whether the runner takes them or not.
func (h *Host) SendRaw(bytes []byte) { _, _ = h.toRunner.Write(bytes) }

// CloseInput ends the runner's input.
func (h *Host) CloseInput() { h.toRunner.Close() }

// Open opens a stream.
func (h *Host) Open(request any) uint32 {
	h.T.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		h.T.Fatal(err)
	}
	id := h.nextID
	h.nextID += 2
	h.Send(wire.Open, id, 0, text)
	return id
}

// Message sends a MESSAGE.
func (h *Host) Message(stream uint32, text string) { h.Send(wire.Message, stream, 0, []byte(text)) }

// Next is the next frame of a stream; what comes for others waits for its turn.
func (h *Host) Next(stream uint32) Frame {
	h.T.Helper()
	for len(h.waiting[stream]) == 0 {
		if err := h.receive(); err != nil {
			h.T.Fatalf("reading from the runner: %v", err)
		}
	}
	frame := h.waiting[stream][0]
	h.waiting[stream] = h.waiting[stream][1:]
	return frame
}

func (h *Host) receive() error {
	_ = h.fromRunner.SetReadDeadline(time.Now().Add(patience))
	frame, err := h.reader.Next()
	if err != nil {
		return err
	}
	switch frame.Type {
	case wire.Welcome, wire.Message, wire.Reset, wire.Goodbye:
		if err := wire.CheckJSON(frame.Payload); err != nil {
			return fmt.Errorf("the runner's JSON: %w: %s", err, frame.Payload)
		}
	case wire.Data:
		if h.Credit {
			h.Grant(frame.Stream, frame.Lane, len(frame.Payload))
		}
	}
	copied := Frame{frame.Type, frame.Lane, append([]byte(nil), frame.Payload...)}
	h.waiting[frame.Stream] = append(h.waiting[frame.Stream], copied)
	return nil
}

// Grant gives credit.
func (h *Host) Grant(stream uint32, lane byte, bytes int) {
	h.SendRaw(wire.AppendCredit(nil, stream, lane, uint32(bytes)))
}

// Result is what a stream said until its end.
type Result struct {
	Output   [2][]byte
	Messages []map[string]any
	Ends     []byte
	Reset    map[string]any
}

// Finish reads a stream to its end and checks the order of what comes.
func (h *Host) Finish(stream uint32) Result {
	h.T.Helper()
	var result Result
	var ended [2]bool
	for {
		frame := h.Next(stream)
		switch frame.Type {
		case wire.Data:
			if ended[frame.Lane] {
				h.T.Fatal("data after END")
			}
			result.Output[frame.Lane] = append(result.Output[frame.Lane], frame.Payload...)
		case wire.End:
			ended[frame.Lane] = true
			result.Ends = append(result.Ends, frame.Lane)
		case wire.Message:
			result.Messages = append(result.Messages, decode(h.T, frame.Payload))
		case wire.Credit:
		case wire.Reset:
			result.Reset = decode(h.T, frame.Payload)
			h.Send(wire.Close, stream, 0, nil)
			return result
		case wire.Close:
			h.Send(wire.Close, stream, 0, nil)
			return result
		default:
			h.T.Fatalf("a frame of type 0x%x on a stream", frame.Type)
		}
	}
}

// Last is the last message.
func (r Result) Last() map[string]any {
	if len(r.Messages) == 0 {
		return nil
	}
	return r.Messages[len(r.Messages)-1]
}

// Stop ends the input and waits for the session.
func (h *Host) Stop() error {
	h.toRunner.Close()
	go func() { _, _ = io.Copy(io.Discard, h.fromRunner) }()
	select {
	case err := <-h.Ended:
		return err
	case <-time.After(patience):
		h.T.Fatal("the session doesn't end")
		return nil
	}
}

func decode(t testing.TB, text []byte) map[string]any {
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
