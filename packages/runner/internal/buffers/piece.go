package buffers

import (
	"syscall"
)

// Source reads pieces from a descriptor that doesn't block. It holds no buffer while it waits.
type Source struct {
	Raw  syscall.RawConn
	bulk bool
}

// Next waits for bytes and reads at most size of them into a buffer that it lends: nil where nothing was read.
func (s *Source) Next(size int) (buffer *Buffer, n int, err error) {
	waitErr := s.Raw.Read(func(fd uintptr) bool {
		buffer, n, err = s.TryNext(int(fd), size)
		return err != syscall.EAGAIN
	})
	if waitErr != nil && buffer == nil {
		err = waitErr
	}
	return buffer, n, err
}

// TryNext is Next that answers EAGAIN where it would have to wait.
func (s *Source) TryNext(fd, size int) (*Buffer, int, error) {
	buffer := Get(s.bulk)
	if size > len(buffer.Bytes) {
		size = len(buffer.Bytes)
	}
	for {
		n, err := syscall.Read(fd, buffer.Bytes[:size])
		if err == syscall.EINTR {
			continue
		}
		if n > 0 {
			s.bulk = n >= SmallBytes
			return buffer, n, nil
		}
		buffer.Return()
		return nil, 0, err
	}
}
