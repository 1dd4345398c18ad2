// Package mux is the runner's side of the protocol on one channel: handshake, lease, streams, credit. It knows nothing of what
// the streams are for.
package mux

import (
	"fmt"
	"io"
	"sync"
	"time"

	"nanoclaw/runner/internal/wire"
)

const maxHostStreams = 128

// Opener serves one kind. It is called by the reader of the channel with the OPEN's JSON, valid until it returns, and must not block;
// what it returns runs on a goroutine of its own and has to end the stream. An error refuses the stream.
type Opener func(stream *Stream, open []byte) (run func(), err error)

// Refusal is an error with a code of the protocol's.
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Options are what a session is made of.
type Options struct {
	// Version of the runner, for WELCOME.
	Version string
	// Kinds are the kinds of streams that are offered.
	Kinds map[string]Opener
	// Greeted is called when HELLO came and before anything is started; what it returns is the report.
	Greeted func(Hello) any
	// Heard is called for whatever arrives.
	Heard func()
	// Lifetime is called for CONTROL lifetime.
	Lifetime func(remaining time.Duration)
}

// Session is one connection with a host.
type Session struct {
	options Options
	channel io.Writer

	mu         sync.Mutex
	out        *output
	streams    map[uint32]*Stream
	lastHostID uint32
	greeted    bool
	running    sync.WaitGroup
}

// New makes a session that writes to channel.
func New(channel io.Writer, options Options) *Session {
	s := &Session{options: options, channel: channel, streams: make(map[uint32]*Stream)}
	s.out = newOutput(&s.mu)
	return s
}

// Run serves the session until the end of input (nil) or a violation.
func (s *Session) Run(input io.Reader) error {
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		s.out.run(s.channel)
	}()
	err := s.readAll(wire.NewReader(heardReader{input, s.options.Heard}))
	s.abandon()
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// Wait waits until nothing of the session runs any more; for tests.
func (s *Session) Wait() { s.running.Wait() }

// Goodbye says why the sandbox ends, as the last frame, and waits a moment until it is out.
func (s *Session) Goodbye(reason string, atMost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.greeted {
		return
	}
	s.out.append(func(b []byte) []byte {
		return wire.AppendText(b, wire.Goodbye, 0, fmt.Sprintf(`{"reason":%q}`, reason))
	})
	s.out.sealed = true
	s.out.drained.Broadcast()
	s.out.flush(atMost)
}

func (s *Session) readAll(reader *wire.Reader) error {
	if err := s.handshake(reader); err != nil {
		return err
	}
	for {
		frame, err := reader.Next()
		if err != nil {
			return err
		}
		if err := s.dispatch(frame); err != nil {
			return err
		}
	}
}

func (s *Session) dispatch(frame wire.Frame) error {
	switch frame.Type {
	case wire.Control:
		return s.control(frame.Payload)
	case wire.Open:
		return s.open(frame)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.overfull() {
		return wire.Violationf("it stopped reading our answers")
	}
	if frame.Type == wire.Ping {
		s.out.append(func(b []byte) []byte { return wire.Append(b, wire.Pong, 0, 0, frame.Payload) })
		return nil
	}
	if frame.Type < wire.Open {
		return wire.Violationf("a frame of type 0x%x that doesn't belong here", frame.Type)
	}
	stream := s.streams[frame.Stream]
	if stream == nil {
		return wire.Violationf("a frame on a stream that is not open")
	}
	return stream.receive(frame)
}

func (s *Session) open(frame wire.Frame) error {
	var request struct {
		Kind *string `json:"kind"`
	}
	if err := wire.DecodeJSON(frame.Payload, &request); err != nil || request.Kind == nil {
		return wire.Violationf("an OPEN without kind: %v", err)
	}
	stream, err := s.newStream(frame.Stream)
	if err != nil {
		return err
	}
	opener := s.options.Kinds[*request.Kind]
	if opener == nil {
		s.refuse(stream, "unknown-kind", "the runner offers nothing of this kind")
		return nil
	}
	run, err := opener(stream, frame.Payload)
	if err != nil {
		refusal, ok := err.(*Refusal)
		if !ok {
			refusal = &Refusal{"invalid", err.Error()}
		}
		s.refuse(stream, refusal.Code, refusal.Message)
		return nil
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		run()
	}()
	return nil
}

func (s *Session) newStream(id uint32) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id%2 != 1 || id <= s.lastHostID {
		return nil, wire.Violationf("a stream id that is not odd and growing")
	}
	if len(s.streams) >= maxHostStreams {
		return nil, wire.Violationf("more than %d streams", maxHostStreams)
	}
	if s.out.overfull() {
		return nil, wire.Violationf("it stopped reading our answers")
	}
	s.lastHostID = id
	stream := &Stream{ID: id, session: s, windows: [2]int{initialWindow, initialWindow}}
	stream.input.window = initialWindow
	stream.arrived.L, stream.credited.L = &s.mu, &s.mu
	s.streams[id] = stream
	return stream, nil
}

// refuse is Fail for the reader of the channel, which never waits.
func (s *Session) refuse(stream *Stream, code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream.fail(code, message)
}

func (s *Session) remove(stream *Stream) { delete(s.streams, stream.ID) }

// abandon ends whatever waits on a stream: the channel is over.
func (s *Session) abandon() {
	s.mu.Lock()
	s.out.close()
	streams := make([]*Stream, 0, len(s.streams))
	for _, stream := range s.streams {
		if !stream.gotClose {
			streams = append(streams, stream)
		}
	}
	for _, stream := range streams {
		stream.closedByHost(true)
	}
	s.mu.Unlock()
}

// heardReader tells of everything that arrives.
type heardReader struct {
	io.Reader
	heard func()
}

func (r heardReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 && r.heard != nil {
		r.heard()
	}
	return n, err
}
