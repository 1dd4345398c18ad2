package execs

import (
	"io"
	"os"

	"nanoclaw/runner/internal/buffers"
	"nanoclaw/runner/internal/mux"
)

// feed writes what the host sends to a command's stdin. What the command doesn't take any more is thrown away.
func feed(stream *mux.Stream, file *os.File, pty bool) {
	broken, bulk, atLineStart := false, false, true
	for {
		stream.Await()
		buffer := buffers.Get(bulk)
		n, err := stream.Read(buffer.Bytes)
		if n > 0 && !broken {
			atLineStart = buffer.Bytes[n-1] == '\n'
			_, writeErr := file.Write(buffer.Bytes[:n])
			broken = writeErr != nil
		}
		bulk = n >= buffers.SmallBytes
		buffer.Return()
		if err == nil {
			continue
		}
		if !pty {
			file.Close()
		} else if err == io.EOF && !broken {
			typeEndOfFile(file, atLineStart)
		}
		return
	}
}

func typeEndOfFile(file *os.File, atLineStart bool) {
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	var keys []byte
	_ = raw.Control(func(fd uintptr) { keys = endOfFile(int(fd), atLineStart) })
	if len(keys) > 0 {
		_, _ = file.Write(keys)
	}
}
