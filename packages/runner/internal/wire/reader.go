package wire

import (
	"encoding/binary"
	"io"
)

// readAhead is enough for a whole DATA frame, so that a bulk transfer takes about one read a frame.
const readAhead = HeaderBytes + MaxDataBytes

// Reader cuts a byte stream into frames. It buffers at most one incomplete frame, whose length was judged before
// room was made for it.
type Reader struct {
	source     io.Reader
	buffer     []byte
	start, end int
	large      []byte
}

// NewReader reads frames from source.
func NewReader(source io.Reader) *Reader {
	return &Reader{source: source, buffer: make([]byte, readAhead)}
}

// Next returns the next frame: io.EOF at the end of input between frames, io.ErrUnexpectedEOF within one,
// *Violation for what is no frame.
func (r *Reader) Next() (Frame, error) {
	r.large = nil
	if err := r.fill(HeaderBytes); err != nil {
		return Frame{}, err
	}
	header := r.buffer[r.start:r.end]
	length := binary.BigEndian.Uint32(header)
	frame := Frame{Stream: binary.BigEndian.Uint32(header[4:]), Type: header[8], Lane: header[9]}
	if err := checkHeader(length, frame.Stream, frame.Type, frame.Lane); err != nil {
		return Frame{}, err
	}
	r.start += HeaderBytes
	size := int(length)
	if size > len(r.buffer)-HeaderBytes {
		return r.readLarge(frame, size)
	}
	if err := r.fill(size); err != nil {
		return Frame{}, midFrame(err)
	}
	frame.Payload = r.buffer[r.start : r.start+size]
	r.start += size
	return frame, nil
}

// readLarge reads a payload that has no room in the buffer into one of its own, which grows with what really arrives.
func (r *Reader) readLarge(frame Frame, size int) (Frame, error) {
	payload := append(make([]byte, 0, 2*readAhead), r.buffer[r.start:r.end]...)
	r.start, r.end = 0, 0
	for len(payload) < size {
		if len(payload) == cap(payload) {
			grown := make([]byte, len(payload), minInt(size, 2*cap(payload)))
			copy(grown, payload)
			payload = grown
		}
		n, err := r.source.Read(payload[len(payload):minInt(size, cap(payload))])
		payload = payload[:len(payload)+n]
		if err != nil && len(payload) < size {
			return Frame{}, midFrame(err)
		}
	}
	r.large = payload
	frame.Payload = payload
	return frame, nil
}

// fill makes sure that n bytes are buffered.
func (r *Reader) fill(n int) error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.start+n > len(r.buffer) {
		r.end = copy(r.buffer, r.buffer[r.start:r.end])
		r.start = 0
	}
	empty := 0
	for r.end-r.start < n {
		got, err := r.source.Read(r.buffer[r.end:])
		r.end += got
		if r.end-r.start >= n {
			return nil
		}
		if err != nil {
			if r.end > r.start {
				return midFrame(err)
			}
			return err
		}
		if got > 0 {
			empty = 0
		} else if empty++; empty > 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}

func midFrame(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func minInt(a, b int) int {
	if a < b {
		return a
	}
	return b
}
