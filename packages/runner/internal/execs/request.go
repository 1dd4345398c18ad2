// Package execs starts commands, carries their input and output over streams, and kills everything that they started.
package execs

import (
	"fmt"
	"strings"

	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

const (
	// maxStringBytes is the kernel's MAX_ARG_STRLEN, for one argument or variable with its final NUL.
	maxStringBytes = 131072
	workspace      = "/workspace"
	maxTimeoutMs   = 365 * 24 * 3600 * 1000
)

type size struct {
	Columns uint16 `json:"columns"`
	Rows    uint16 `json:"rows"`
}

type request struct {
	Argv        []string          `json:"argv"`
	Env         map[string]string `json:"env"`
	Cwd         string            `json:"cwd"`
	TimeoutMs   int64             `json:"timeoutMs"`
	KillGraceMs int64             `json:"killGraceMs"`
	Stdin       bool              `json:"stdin"`
	Pty         *size             `json:"pty"`

	environment []string
}

func parseRequest(open []byte) (*request, error) {
	r := &request{}
	if err := wire.DecodeJSON(open, r); err != nil {
		return nil, &mux.Refusal{Code: "invalid", Message: err.Error()}
	}
	if len(r.Argv) == 0 || r.Argv[0] == "" {
		return nil, &mux.Refusal{Code: "invalid", Message: "expected a command, found an empty argv"}
	}
	if r.TimeoutMs < 0 || r.TimeoutMs > maxTimeoutMs || r.KillGraceMs < 0 || r.KillGraceMs > maxTimeoutMs {
		return nil, &mux.Refusal{Code: "invalid", Message: "a time limit is out of range"}
	}
	for i, argument := range r.Argv {
		if err := checkString(fmt.Sprintf("argument %d", i), argument, len(argument)); err != nil {
			return nil, err
		}
	}
	r.environment = make([]string, 0, len(r.Env))
	for name, value := range r.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, &mux.Refusal{Code: "invalid", Message: fmt.Sprintf("%.100q is no name for an environment variable", name)}
		}
		if err := checkString(fmt.Sprintf("variable %.100q", name), value, len(name)+1+len(value)); err != nil {
			return nil, err
		}
		r.environment = append(r.environment, name+"="+value)
	}
	switch {
	case r.Cwd == "":
		r.Cwd = workspace
	case strings.IndexByte(r.Cwd, 0) >= 0:
		return nil, &mux.Refusal{Code: "invalid", Message: "the working directory contains a NUL byte"}
	case r.Cwd[0] != '/':
		r.Cwd = workspace + "/" + r.Cwd
	}
	return r, nil
}

func checkString(what, text string, length int) error {
	if strings.IndexByte(text, 0) >= 0 {
		return &mux.Refusal{Code: "invalid", Message: what + " contains a NUL byte"}
	}
	if length+1 > maxStringBytes {
		return &mux.Refusal{
			Code:    "too-long",
			Message: fmt.Sprintf("%s takes %d bytes, the kernel takes at most %d; pass large data through input or a file", what, length, maxStringBytes-1),
		}
	}
	return nil
}
