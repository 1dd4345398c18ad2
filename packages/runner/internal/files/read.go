package files

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"syscall"
)

const chunkBytes = 64 * 1024

// ReadResult says what was read: the bytes handed out, their hash, and the file's permission bits.
type ReadResult struct {
	Size   int64
	SHA256 string
	Mode   uint32
}

// Read copies a regular file from offset on to w: length bytes, or the rest if it is -1; less if the file ends before.
// An error of w is returned as it is.
func Read(path []byte, offset, length int64, w io.Writer) (ReadResult, error) {
	if offset < 0 || length < -1 {
		return ReadResult{}, Refuse(Invalid, "read", path, "offset and length can't be negative")
	}
	place, err := find(path, lookup{followLast: true})
	if err != nil {
		return ReadResult{}, Fail("read", path, err)
	}
	fd, stat, err := OpenRegular(place.Directory, place.Name)
	place.Close()
	if err != nil {
		return ReadResult{}, Fail("read", path, err)
	}
	defer syscall.Close(fd)
	hash := sha256.New()
	size := int64(0)
	buffer := make([]byte, chunkBytes)
	for length != 0 {
		chunk := buffer
		if length > 0 && length < chunkBytes {
			chunk = buffer[:length]
		}
		n, err := readAt(fd, chunk, offset+size)
		if err != nil {
			return ReadResult{}, Fail("read", path, err)
		}
		if n == 0 {
			break
		}
		hash.Write(chunk[:n])
		if _, err := w.Write(chunk[:n]); err != nil {
			return ReadResult{}, err
		}
		size += int64(n)
		if length > 0 {
			length -= int64(n)
		}
	}
	return ReadResult{Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)), Mode: stat.Mode & 0o7777}, nil
}

// ReadSome is read(2) that a signal doesn't end.
func ReadSome(fd int, buffer []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buffer)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func readAt(fd int, buffer []byte, offset int64) (int, error) {
	for {
		n, err := syscall.Pread(fd, buffer, offset)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
