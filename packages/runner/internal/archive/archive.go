// Package archive streams directories as tar. Both ends of a tar stream are hostile ground: what is packed belongs to
// the payload, which can swap any of it at any time, and it is unpacked among files of the payload.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// Result is of the tar stream: its bytes, their hash, and the files, directories and symlinks in it.
type Result struct {
	Size   int64
	SHA256 string
	Count  int
}

// meter counts and hashes what passes, and remembers how the other end failed, to tell that from a fault of ours.
type meter struct {
	reader io.Reader
	writer io.Writer
	hash   hash.Hash
	size   int64
	err    error
}

func newMeter(reader io.Reader, writer io.Writer) *meter {
	return &meter{reader: reader, writer: writer, hash: sha256.New()}
}

func (m *meter) Read(buffer []byte) (int, error) {
	n, err := m.reader.Read(buffer)
	m.take(buffer[:n])
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

func (m *meter) Write(buffer []byte) (int, error) {
	n, err := m.writer.Write(buffer)
	m.take(buffer[:n])
	if err != nil {
		m.err = err
	}
	return n, err
}

func (m *meter) take(bytes []byte) {
	m.hash.Write(bytes)
	m.size += int64(len(bytes))
}

func (m *meter) result(count int) Result {
	return Result{Size: m.size, SHA256: hex.EncodeToString(m.hash.Sum(nil)), Count: count}
}
