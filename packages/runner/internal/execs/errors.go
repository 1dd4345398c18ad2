package execs

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"nanoclaw/runner/internal/mux"
)

// explainStart says why a command could not be started.
func (r *request) explainStart(path string, err error) error {
	errno, _ := err.(syscall.Errno)
	if refusal := r.checkCwd(); refusal != nil && (errno == syscall.ENOENT || errno == syscall.ENOTDIR || errno == syscall.EACCES) {
		return refusal
	}
	refuse := func(code, format string, args ...any) error {
		return &mux.Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
	}
	switch errno {
	case syscall.ENOENT:
		return refuse("not-found", "%s", r.explainMissing(path))
	case syscall.ENOTDIR:
		return refuse("not-found", "%q: a part of the path is no directory", path)
	case syscall.ELOOP:
		return refuse("not-found", "%q: too many symbolic links", path)
	case syscall.EACCES, syscall.EPERM:
		return refuse("not-executable", "%q may not be executed (no execute permission, a mount with noexec, or a directory that can't be entered)", path)
	case syscall.ENOEXEC:
		return refuse("bad-format", "%q is neither a program of this architecture nor a script with a #! line", path)
	case syscall.ELIBBAD, syscall.EINVAL:
		return refuse("bad-format", "%q can't be loaded (%v)", path, err)
	case syscall.E2BIG:
		return refuse("too-long", "arguments and environment are larger than the kernel takes; pass large data through input or a file")
	case syscall.ENAMETOOLONG:
		return refuse("too-long", "the path of the command is too long")
	case syscall.ETXTBSY:
		return refuse("not-executable", "%q is being written", path)
	case syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOSPC:
		return refuse("limit", "no process, memory, terminal or open file is left for another command (%v)", err)
	}
	return refuse("io", "%q could not be started: %v", path, err)
}

func (r *request) checkCwd() error {
	var stat syscall.Stat_t
	if err := syscall.Stat(r.Cwd, &stat); err != nil {
		code := "not-found"
		if err == syscall.EACCES {
			code = "permission-denied"
		}
		return &mux.Refusal{Code: code, Message: fmt.Sprintf("the working directory %q: %v", r.Cwd, err)}
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return &mux.Refusal{Code: "not-directory", Message: fmt.Sprintf("the working directory %q is no directory", r.Cwd)}
	}
	if syscall.Access(r.Cwd, 1) != nil {
		return &mux.Refusal{Code: "permission-denied", Message: fmt.Sprintf("the working directory %q may not be entered", r.Cwd)}
	}
	return nil
}

// explainMissing tells a missing file from one whose interpreter is missing.
func (r *request) explainMissing(path string) string {
	file, err := os.OpenFile(r.fromCwd(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Sprintf("%q does not exist", path)
	}
	defer file.Close()
	start := make([]byte, 256)
	n, _ := file.Read(start)
	start = start[:n]
	if bytes.HasPrefix(start, []byte("#!")) {
		line := bytes.TrimSpace(bytes.SplitN(start[2:], []byte("\n"), 2)[0])
		return fmt.Sprintf("%q is a script for %q, which does not exist", path, bytes.SplitN(line, []byte(" "), 2)[0])
	}
	return fmt.Sprintf("%q needs a dynamic loader that does not exist here", path)
}
