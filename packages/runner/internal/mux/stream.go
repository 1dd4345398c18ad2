package mux

import (
	"encoding/json"
	"errors"
	"io"
	"sync"

	"nanoclaw/runner/internal/wire"
)

// ErrGone is what a stream answers once the host has closed or reset it.
var ErrGone = errors.New("the host has given up the stream")

// Hooks are called by the reader of the channel and must not block.
type Hooks struct {
	// Message gets a MESSAGE of the host's, valid JSON; nil refuses them all. An error is a violation.
	Message func(text []byte) error
	// Gone is called once when the host has closed or reset the stream.
	Gone func(reset bool)
}

// Stream is one stream that the host opened. Its methods may be called from any goroutine; Read from one at a time, and Data from
// one per lane.
type Stream struct {
	ID      uint32
	session *Session
	hooks   Hooks

	input     incoming
	windows   [2]int
	arrived   sync.Cond
	credited  sync.Cond
	sentClose bool
	gotClose  bool
	gotReset  bool
}

// SetHooks is for an Opener, before it returns.
func (s *Stream) SetHooks(hooks Hooks) { s.hooks = hooks }

// Read takes what the host sent: io.EOF after END, ErrGone when the host gave up.
func (s *Stream) Read(p []byte) (int, error) {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	for {
		switch {
		case s.gotReset || s.sentClose:
			return 0, ErrGone
		case !s.input.empty():
			n, credit := s.input.take(p)
			if credit > 0 && !s.gotClose {
				s.session.out.append(func(b []byte) []byte { return wire.AppendCredit(b, s.ID, 0, uint32(credit)) })
			}
			return n, nil
		case s.input.ended:
			return 0, io.EOF
		case s.gotClose:
			return 0, ErrGone
		}
		s.arrived.Wait()
	}
}

// Await waits until Read would not.
func (s *Stream) Await() {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	for s.input.empty() && !s.input.ended && !s.gotClose && !s.sentClose {
		s.arrived.Wait()
	}
}

// Allowance waits until the host takes bytes on a lane and says how many; false when it never will. It answers 0 when enough says so,
// which is asked again after Recheck.
func (s *Stream) Allowance(lane byte, enough func() bool) (int, bool) {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	for s.windows[lane] == 0 && !s.gotClose && !s.sentClose && !(enough != nil && enough()) {
		s.credited.Wait()
	}
	if s.gotClose || s.sentClose {
		return 0, false
	}
	if s.windows[lane] > wire.MaxDataBytes {
		return wire.MaxDataBytes, true
	}
	return s.windows[lane], true
}

// Recheck makes those who wait for an allowance ask whether they have enough.
func (s *Stream) Recheck() {
	s.session.mu.Lock()
	s.credited.Broadcast()
	s.session.mu.Unlock()
}

// Data sends bytes within the allowance. On a stream that is over they are dropped.
func (s *Stream) Data(lane byte, p []byte) {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	s.session.out.waitForRoom()
	if s.gotClose || s.sentClose || len(p) == 0 {
		return
	}
	s.windows[lane] -= len(p)
	s.session.out.append(func(b []byte) []byte { return wire.Append(b, wire.Data, s.ID, lane, p) })
}

// Write sends p on lane 0, waiting for credit.
func (s *Stream) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, open := s.Allowance(0, nil)
		if !open {
			return sent, ErrGone
		}
		if n > len(p)-sent {
			n = len(p) - sent
		}
		s.Data(0, p[sent:sent+n])
		sent += n
	}
	return sent, nil
}

// Batch collects frames of one stream that go out together.
type Batch struct {
	id     uint32
	buffer []byte
}

// End says that nothing more comes on a lane.
func (b *Batch) End(lane byte) { b.buffer = wire.Append(b.buffer, wire.End, b.id, lane, nil) }

// MessageText sends a MESSAGE whose JSON is known.
func (b *Batch) MessageText(text string) {
	b.buffer = wire.AppendText(b.buffer, wire.Message, b.id, text)
}

// Message sends a MESSAGE.
func (b *Batch) Message(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	b.buffer = wire.Append(b.buffer, wire.Message, b.id, 0, text)
}

// Send sends the frames that add collects.
func (s *Stream) Send(add func(*Batch)) { s.send(add, false) }

// Finish sends the frames that add collects, and CLOSE.
func (s *Stream) Finish(add func(*Batch)) { s.send(add, true) }

func (s *Stream) send(add func(*Batch), last bool) {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	s.session.out.waitForRoom()
	if s.sentClose {
		return
	}
	s.session.out.append(func(buffer []byte) []byte {
		batch := Batch{id: s.ID, buffer: buffer}
		if add != nil && !s.gotClose {
			add(&batch)
		}
		if last {
			batch.buffer = wire.Append(batch.buffer, wire.Close, s.ID, 0, nil)
		}
		return batch.buffer
	})
	if last {
		s.closeLocal()
	}
}

// Fail answers with RESET, or with CLOSE where the host has given up already.
func (s *Stream) Fail(code, message string) {
	mu := &s.session.mu
	mu.Lock()
	defer mu.Unlock()
	s.session.out.waitForRoom()
	s.fail(code, message)
}

func (s *Stream) fail(code, message string) {
	if s.sentClose {
		return
	}
	s.session.out.append(func(buffer []byte) []byte {
		if s.gotClose {
			return wire.Append(buffer, wire.Close, s.ID, 0, nil)
		}
		return wire.Append(buffer, wire.Reset, s.ID, 0, resetText(code, message))
	})
	s.closeLocal()
}

func (s *Stream) closeLocal() {
	s.sentClose = true
	s.input.drop()
	s.arrived.Broadcast()
	s.credited.Broadcast()
	if s.gotClose {
		s.session.remove(s)
	}
}

const maxResetMessage = 4096

func resetText(code, message string) []byte {
	if len(message) > maxResetMessage {
		message = message[:maxResetMessage] + "…"
	}
	text, err := json.Marshal(struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
	if err != nil {
		panic(err)
	}
	return text
}
