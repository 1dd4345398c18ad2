// Package kinds serves the kinds of streams that are about files, archives and the report.
package kinds

import (
	"encoding/base64"
	"errors"
	"io"

	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

// maxBusy is how many operations may be in system calls at once. Each takes a thread, and threads must not run out where a
// payload has used up the container's processes.
const maxBusy = 3

// Service serves them.
type Service struct {
	busy   chan struct{}
	report func() any
}

// New makes a Service; report collects the report anew.
func New(report func() any) *Service {
	return &Service{busy: make(chan struct{}, maxBusy), report: report}
}

// All are the kinds by name.
func (s *Service) All() map[string]mux.Opener {
	return map[string]mux.Opener{
		"read-file":  s.readFile,
		"write-file": s.writeFile,
		"stat":       s.stat,
		"list":       s.list,
		"mkdir":      s.mkdir,
		"remove":     s.remove,
		"upload":     s.upload,
		"download":   s.download,
		"report":     s.reportAnew,
	}
}

// target is the path of a request: text, or bytes that are no UTF-8.
type target struct {
	Path       *string `json:"path"`
	PathBase64 *string `json:"pathBase64"`
}

func (t target) bytes() ([]byte, error) {
	switch {
	case t.Path != nil && t.PathBase64 == nil:
		return []byte(*t.Path), nil
	case t.PathBase64 != nil && t.Path == nil:
		path, err := base64.StdEncoding.DecodeString(*t.PathBase64)
		if err != nil {
			return nil, &mux.Refusal{Code: "invalid", Message: "pathBase64 is no base64"}
		}
		return path, nil
	}
	return nil, &mux.Refusal{Code: "invalid", Message: "expected either path or pathBase64"}
}

// decode takes a request and its path.
func decode(open []byte, request any, at *target) ([]byte, error) {
	if err := wire.DecodeJSON(open, request); err != nil {
		return nil, err
	}
	return at.bytes()
}

// serve runs an operation when there is room, and answers with what it says or why it failed.
func (s *Service) serve(stream *mux.Stream, do func() (answer any, err error)) func() {
	return func() {
		s.busy <- struct{}{}
		answer, err := do()
		<-s.busy
		if err != nil {
			fail(stream, err)
			return
		}
		stream.Finish(func(b *mux.Batch) { b.Message(answer) })
	}
}

func fail(stream *mux.Stream, err error) {
	var typed *files.Error
	if errors.As(err, &typed) {
		stream.Fail(typed.Code, typed.Message)
		return
	}
	stream.Fail("io", err.Error())
}

// patientWriter gives up the place among the busy while the host takes its time.
type patientWriter struct {
	service *Service
	stream  *mux.Stream
}

func (w patientWriter) Write(p []byte) (int, error) {
	<-w.service.busy
	n, err := w.stream.Write(p)
	w.service.busy <- struct{}{}
	return n, err
}

type patientReader struct {
	service *Service
	stream  *mux.Stream
}

func (r patientReader) Read(p []byte) (int, error) {
	<-r.service.busy
	n, err := r.stream.Read(p)
	r.service.busy <- struct{}{}
	return n, err
}

var (
	_ io.Writer = patientWriter{}
	_ io.Reader = patientReader{}
)
