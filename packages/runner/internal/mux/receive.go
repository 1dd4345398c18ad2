package mux

import (
	"encoding/binary"
	"encoding/json"

	"nanoclaw/runner/internal/wire"
)

// receive takes one frame of the host's for this stream; the session's mutex is held and given up to call hooks.
func (s *Stream) receive(frame wire.Frame) error {
	if s.gotClose {
		return wire.Violationf("a frame on a stream that its sender has closed")
	}
	switch frame.Type {
	case wire.Data:
		return s.receiveData(frame)
	case wire.End:
		if frame.Lane != 0 {
			return wire.Violationf("END on a lane that the host has not")
		}
		if s.input.ended {
			return wire.Violationf("a lane that ends twice")
		}
		s.input.ended = true
		s.arrived.Broadcast()
	case wire.Credit:
		return s.receiveCredit(frame)
	case wire.Message:
		return s.receiveMessage(frame.Payload)
	case wire.Close:
		s.closedByHost(false)
	case wire.Reset:
		var reset struct{ Code, Message *string }
		if err := wire.DecodeJSON(frame.Payload, &reset); err != nil || reset.Code == nil || reset.Message == nil {
			return wire.Violationf("a RESET without code and message")
		}
		s.closedByHost(true)
	}
	return nil
}

func (s *Stream) receiveData(frame wire.Frame) error {
	if frame.Lane != 0 {
		return wire.Violationf("DATA on a lane that the host has not")
	}
	if s.input.ended {
		return wire.Violationf("data after the end of its lane")
	}
	if !s.input.receive(frame.Payload, !s.sentClose) {
		return wire.Violationf("data beyond the window")
	}
	s.arrived.Broadcast()
	return nil
}

func (s *Stream) receiveCredit(frame wire.Frame) error {
	bytes := binary.BigEndian.Uint32(frame.Payload)
	if bytes == 0 {
		return wire.Violationf("a credit of 0")
	}
	if uint64(bytes)+uint64(s.windows[frame.Lane]) > maxWindow {
		return wire.Violationf("credit beyond the largest window")
	}
	s.windows[frame.Lane] += int(bytes)
	s.credited.Broadcast()
	return nil
}

func (s *Stream) receiveMessage(text []byte) error {
	if err := wire.CheckJSON(text); err != nil {
		return err
	}
	if s.sentClose {
		return nil
	}
	if s.hooks.Message == nil {
		return wire.Violationf("a MESSAGE on a stream that takes none")
	}
	s.session.mu.Unlock()
	err := s.hooks.Message(text)
	s.session.mu.Lock()
	if _, ok := err.(*wire.Violation); err != nil && !ok {
		_, isType := err.(*json.UnmarshalTypeError)
		return wire.Violationf("a MESSAGE that is not understood (wrong type: %t)", isType)
	}
	return err
}

func (s *Stream) closedByHost(reset bool) {
	s.gotClose, s.gotReset = true, reset
	if reset {
		s.input.drop()
	}
	s.arrived.Broadcast()
	s.credited.Broadcast()
	if s.sentClose {
		s.session.remove(s)
	} else if s.hooks.Gone != nil {
		s.session.mu.Unlock()
		s.hooks.Gone(reset)
		s.session.mu.Lock()
	}
}
