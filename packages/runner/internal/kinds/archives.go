package kinds

import (
	"encoding/json"
	"fmt"
	"io"

	"nanoclaw/runner/internal/archive"
	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

type doneArchive struct {
	Event  string `json:"event"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Count  int    `json:"count"`
}

type reportEvent struct {
	Event  string `json:"event"`
	Report any    `json:"report"`
}

func (s *Service) upload(stream *mux.Stream, open []byte) (func(), error) {
	var request struct{ target }
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serve(stream, func() (any, error) {
		result, err := archive.Unpack(path, patientReader{s, stream})
		return doneArchive{"done", result.Size, result.SHA256, result.Count}, err
	}), nil
}

func (s *Service) download(stream *mux.Stream, open []byte) (func(), error) {
	var request struct{ target }
	path, err := decode(open, &request, &request.target)
	if err != nil {
		return nil, err
	}
	return s.serveData(stream, func(w io.Writer) (any, error) {
		result, err := archive.Pack(path, w)
		return doneArchive{"done", result.Size, result.SHA256, result.Count}, err
	}), nil
}

func (s *Service) reportAnew(stream *mux.Stream, _ []byte) (func(), error) {
	return s.serve(stream, func() (any, error) {
		text, err := json.Marshal(reportEvent{"report", s.report()})
		if err == nil && len(text) > wire.MaxMessageBytes {
			err = &files.Error{Code: files.Limit, Message: fmt.Sprintf("the report takes %d bytes, at most %d fit", len(text), wire.MaxMessageBytes)}
		}
		return json.RawMessage(text), err
	}), nil
}
