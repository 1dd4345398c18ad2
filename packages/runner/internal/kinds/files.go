package kinds

import (
	"bufio"
	"encoding/json"
	"io"

	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

type done struct {
	Event string `json:"event"`
}

type doneRead struct {
	Event  string `json:"event"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Mode   uint32 `json:"mode"`
}

type doneWrite struct {
	Event  string `json:"event"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type doneList struct {
	Event string `json:"event"`
	Count int    `json:"count"`
}

type statEvent struct {
	Event string      `json:"event"`
	Entry files.Entry `json:"entry"`
}

func (s *Service) readFile(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		target
		Offset int64  `json:"offset"`
		Length *int64 `json:"length"`
	}
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	length := int64(-1)
	if request.Length != nil {
		if length = *request.Length; length < 0 {
			return nil, &mux.Refusal{Code: "invalid", Message: "length can't be negative"}
		}
	}
	return s.serveData(stream, func(w io.Writer) (any, error) {
		result, err := files.Read(path, request.Offset, length, w)
		return doneRead{"done", result.Size, result.SHA256, result.Mode}, err
	}), nil
}

// serveData is serve for operations that send data: END comes before the answer.
func (s *Service) serveData(stream *mux.Stream, do func(io.Writer) (any, error)) func() {
	return func() {
		s.busy <- struct{}{}
		answer, err := do(patientWriter{s, stream})
		<-s.busy
		if err != nil {
			fail(stream, err)
			return
		}
		stream.Finish(func(b *mux.Batch) {
			b.End(0)
			b.Message(answer)
		})
	}
}

func (s *Service) writeFile(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		target
		Mode          uint32 `json:"mode"`
		CreateParents bool   `json:"createParents"`
	}
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serve(stream, func() (any, error) {
		writer, err := files.NewWriter(path, request.Mode, request.CreateParents)
		if err != nil {
			return nil, err
		}
		if err := copyAll(writer, patientReader{s, stream}); err != nil {
			writer.Abort()
			return nil, err
		}
		size, sum, err := writer.Commit()
		return doneWrite{"done", size, sum}, err
	}), nil
}

// copyAll copies up to END; anything else is an error, so that nothing but END commits.
func copyAll(w io.Writer, r io.Reader) error {
	buffer := make([]byte, wire.MaxDataBytes)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *Service) stat(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		target
		FollowSymlinks bool `json:"followSymlinks"`
	}
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serve(stream, func() (any, error) {
		entry, err := files.Stat(path, request.FollowSymlinks)
		return statEvent{"stat", entry}, err
	}), nil
}

func (s *Service) list(stream *mux.Stream, open []byte) (func(), error) {
	var request struct{ target }
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serveData(stream, func(w io.Writer) (any, error) {
		lines := bufio.NewWriterSize(w, wire.MaxDataBytes)
		encoder := json.NewEncoder(lines)
		count, err := files.List(path, func(entry files.Entry) error { return encoder.Encode(entry) })
		if err == nil {
			err = lines.Flush()
		}
		return doneList{"done", count}, err
	}), nil
}

func (s *Service) mkdir(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		target
		Mode      uint32 `json:"mode"`
		Recursive bool   `json:"recursive"`
	}
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serve(stream, func() (any, error) {
		return done{"done"}, files.Mkdir(path, request.Mode, request.Recursive)
	}), nil
}

func (s *Service) remove(stream *mux.Stream, open []byte) (func(), error) {
	var request struct {
		target
		Recursive bool `json:"recursive"`
	}
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serve(stream, func() (any, error) {
		return done{"done"}, files.Remove(path, request.Recursive)
	}), nil
}
