package mux_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

// silent is a kind that takes everything and consumes nothing.
func silent(stream *mux.Stream, _ []byte) (func(), error) {
	gone := make(chan struct{})
	stream.SetHooks(mux.Hooks{
		Message: func([]byte) error { return nil },
		Gone:    func(bool) { close(gone) },
	})
	return func() {
		<-gone
		time.Sleep(time.Millisecond)
		stream.Finish(nil)
	}, nil
}

// lazy never answers, so that its stream stays half open.
func lazy(stream *mux.Stream, _ []byte) (func(), error) {
	stream.SetHooks(mux.Hooks{Message: func([]byte) error { return nil }})
	return func() {}, nil
}

func TestStreamVectors(t *testing.T) {
	text, err := os.ReadFile("../../../../test/protocol-vectors/streams.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Name, Hex, Outcome, Reason string }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, vector := range all {
		h := hosttest.Start(t, mux.Options{Kinds: map[string]mux.Opener{"lazy": lazy}})
		h.Open(map[string]any{"kind": "lazy"})
		bytes, _ := hex.DecodeString(vector.Hex)
		h.SendRaw(bytes)
		err := h.Stop()
		if _, violated := err.(*wire.Violation); violated != (vector.Outcome == "violation") {
			t.Errorf("%s: %v, expected %s %s", vector.Name, err, vector.Outcome, vector.Reason)
		}
	}
}
