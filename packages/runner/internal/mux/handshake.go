package mux

import (
	"encoding/json"
	"fmt"
	"time"

	"nanoclaw/runner/internal/wire"
)

const protocolVersion = 1

// Hello is what the host greets with.
type Hello struct {
	Protocol int     `json:"protocol"`
	Nonce    string  `json:"nonce"`
	LeaseMs  int64   `json:"leaseMs"`
	Rlimits  Rlimits `json:"rlimits"`
	// MaskedPaths are what the report is to look at.
	MaskedPaths []string `json:"maskedPaths"`
}

// Rlimits are limits that the runner puts on itself; nil leaves one as it is.
type Rlimits struct {
	Nofile *uint64 `json:"nofile"`
	Nproc  *uint64 `json:"nproc"`
	Core   *uint64 `json:"core"`
	Fsize  *uint64 `json:"fsize"`
}

type welcome struct {
	Protocol int    `json:"protocol"`
	Nonce    string `json:"nonce"`
	Runner   string `json:"runner"`
	Report   any    `json:"report"`
}

func isNonce(text string) bool {
	for _, c := range text {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return len(text) == 32
}

// handshake waits for HELLO and answers it. Nothing is written before.
func (s *Session) handshake(reader *wire.Reader) error {
	frame, err := reader.Next()
	if err != nil {
		return err
	}
	if frame.Type != wire.Hello {
		return wire.Violationf("the first frame is no HELLO")
	}
	var hello Hello
	if err := wire.DecodeJSON(frame.Payload, &hello); err != nil {
		return wire.Violationf("a HELLO that is not understood: %v", err)
	}
	if hello.Protocol != protocolVersion {
		return wire.Violationf("a HELLO of protocol %d, this runner speaks %d", hello.Protocol, protocolVersion)
	}
	if !isNonce(hello.Nonce) || hello.LeaseMs <= 0 {
		return wire.Violationf("a HELLO without nonce or lease")
	}
	var report any
	if s.options.Greeted != nil {
		report = s.options.Greeted(hello)
	}
	text, err := json.Marshal(welcome{protocolVersion, hello.Nonce, s.options.Version, report})
	if err != nil {
		return err
	}
	if len(text) > wire.MaxOpenBytes {
		return fmt.Errorf("the report takes %d bytes, at most %d fit", len(text), wire.MaxOpenBytes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeted = true
	s.out.append(func(b []byte) []byte { return wire.Append(b, wire.Welcome, 0, 0, text) })
	return nil
}

func (s *Session) control(text []byte) error {
	var control struct {
		Op          string `json:"op"`
		RemainingMs *int64 `json:"remainingMs"`
	}
	if err := wire.DecodeJSON(text, &control); err != nil {
		return wire.Violationf("a CONTROL that is not understood: %v", err)
	}
	if control.Op != "lifetime" || control.RemainingMs == nil || *control.RemainingMs < 0 {
		return wire.Violationf("a CONTROL that is not understood")
	}
	const longest = int64(365 * 24 * time.Hour / time.Millisecond)
	remaining := *control.RemainingMs
	if remaining > longest {
		remaining = longest
	}
	if s.options.Lifetime != nil {
		s.options.Lifetime(time.Duration(remaining) * time.Millisecond)
	}
	return nil
}
