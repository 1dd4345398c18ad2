package files

import (
	"errors"
	"fmt"
	"syscall"
)

// The codes of the protocol that file operations answer with.
const (
	NotFound         = "not-found"
	PermissionDenied = "permission-denied"
	IsDirectory      = "is-directory"
	NotDirectory     = "not-directory"
	NotRegular       = "not-regular"
	Exists           = "exists"
	NoSpace          = "no-space"
	ReadOnly         = "read-only"
	TooLong          = "too-long"
	Limit            = "limit"
	Invalid          = "invalid"
	IO               = "io"
)

// Error is why an operation failed: a code of the protocol and a message for people.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

var codes = map[syscall.Errno]string{
	syscall.ENOENT:       NotFound,
	syscall.ENOTDIR:      NotDirectory,
	syscall.EISDIR:       IsDirectory,
	syscall.EACCES:       PermissionDenied,
	syscall.EPERM:        PermissionDenied,
	syscall.ENOSPC:       NoSpace,
	syscall.EDQUOT:       NoSpace,
	syscall.EROFS:        ReadOnly,
	syscall.EEXIST:       Exists,
	syscall.ENOTEMPTY:    Exists,
	syscall.ENAMETOOLONG: TooLong,
	syscall.EMFILE:       Limit,
	syscall.ENFILE:       Limit,
	syscall.ENOMEM:       Limit,
	syscall.EFBIG:        Limit,
	syscall.ELOOP:        Invalid,
	syscall.EINVAL:       Invalid,
	syscall.ENXIO:        NotRegular,
}

// CodeOf translates an errno.
func CodeOf(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if code, known := codes[errno]; known {
			return code
		}
	}
	return IO
}

// Fail makes an Error that says what was done to which path; an Error already made is returned as it is.
func Fail(verb string, path []byte, err error) *Error {
	var made *Error
	if errors.As(err, &made) {
		return made
	}
	text := err.Error()
	if err == syscall.ELOOP {
		text = "a symlink where none is followed, or too many of them"
	}
	return &Error{Code: CodeOf(err), Message: fmt.Sprintf("cannot %s %s: %s", verb, Show(path), text)}
}

// Refuse makes an Error for something that the system itself would have done.
func Refuse(code, verb string, path []byte, why string) *Error {
	return &Error{Code: code, Message: fmt.Sprintf("cannot %s %s: %s", verb, Show(path), why)}
}

// Show makes a path printable and short enough for a message.
func Show(path []byte) string {
	const most = 300
	if len(path) > most {
		return fmt.Sprintf("%q… (%d bytes)", path[:most], len(path))
	}
	return fmt.Sprintf("%q", path)
}
