package execs

import (
	"io"
	"os"

	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

// feed writes what the host sends to a command's stdin. What the command doesn't take any more is thrown away.
func feed(stream *mux.Stream, file *os.File, pty bool) {
	broken, atLineStart := false, true
	for {
		stream.Await()
		buffer := outputBuffers.Get().(*[wire.MaxDataBytes]byte)
		n, err := stream.Read(buffer[:])
		if n > 0 && !broken {
			atLineStart = buffer[n-1] == '\n'
			_, writeErr := file.Write(buffer[:n])
			broken = writeErr != nil
		}
		outputBuffers.Put(buffer)
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
