package execs

import (
	"fmt"
	"strings"
	"syscall"

	"nanoclaw/runner/internal/mux"
)

// lookUp finds the file that argv[0] means.
func (r *request) lookUp() (string, error) {
	name := r.Argv[0]
	if strings.IndexByte(name, '/') >= 0 {
		return name, r.checkFile(name)
	}
	path, ok := r.Env["PATH"]
	if !ok {
		return "", &mux.Refusal{Code: "not-found", Message: fmt.Sprintf("%q has no slash and env has no PATH to look it up in", name)}
	}
	unusable := ""
	for len(path) > 0 {
		var directory string
		if i := strings.IndexByte(path, ':'); i >= 0 {
			directory, path = path[:i], path[i+1:]
		} else {
			directory, path = path, ""
		}
		if directory == "" {
			continue // the current directory by an old custom, which is a trap
		}
		candidate := directory + "/" + name
		var stat syscall.Stat_t
		if syscall.Stat(r.fromCwd(candidate), &stat) != nil || stat.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			continue
		}
		if stat.Mode&syscall.S_IFMT == syscall.S_IFREG && syscall.Access(r.fromCwd(candidate), 1) == nil {
			return candidate, nil
		}
		unusable = candidate
	}
	if unusable != "" {
		return "", &mux.Refusal{Code: "not-executable", Message: fmt.Sprintf("%q may not be executed", unusable)}
	}
	return "", &mux.Refusal{Code: "not-found", Message: fmt.Sprintf("%q is not in PATH (%s)", name, r.Env["PATH"])}
}

// checkFile refuses what execve would refuse with a less telling error.
func (r *request) checkFile(path string) error {
	var stat syscall.Stat_t
	if syscall.Stat(r.fromCwd(path), &stat) == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return &mux.Refusal{Code: "is-directory", Message: fmt.Sprintf("%q is a directory", path)}
	}
	return nil
}

// fromCwd is path as the command would see it from its working directory.
func (r *request) fromCwd(path string) string {
	if path[0] == '/' {
		return path
	}
	return r.Cwd + "/" + path
}
