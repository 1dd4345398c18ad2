// Package at has the system calls that name a file by an open directory and a single name, so that nothing
// a payload swaps in a longer path can lead elsewhere. None of them follows a symlink in that name, but for Open
// without O_NOFOLLOW.
package at

import (
	"syscall"
	"unsafe"
)

const (
	// Path is O_PATH: a handle on a name, without opening what it names.
	Path = 0x200000

	atSymlinkNoFollow = 0x100
	atRemoveDir       = 0x200

	procMagic = 0x9fa0
)

// Open opens name in the directory, always close-on-exec and never as a controlling terminal.
func Open(directory int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := syscall.Openat(directory, name, flags|syscall.O_CLOEXEC|syscall.O_NOCTTY, mode)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

// Stat describes name itself.
func Stat(directory int, name string) (stat syscall.Stat_t, err error) {
	pointer, err := syscall.BytePtrFromString(name)
	if err != nil {
		return stat, err
	}
	_, _, errno := syscall.Syscall6(sysFstatat, uintptr(directory), uintptr(unsafe.Pointer(pointer)),
		uintptr(unsafe.Pointer(&stat)), atSymlinkNoFollow, 0, 0)
	return stat, asError(errno)
}

// Readlink reads where the symlink name leads, as text.
func Readlink(directory int, name string) (string, error) {
	pointer, err := syscall.BytePtrFromString(name)
	if err != nil {
		return "", err
	}
	var target [4096]byte
	n, _, errno := syscall.Syscall6(syscall.SYS_READLINKAT, uintptr(directory), uintptr(unsafe.Pointer(pointer)),
		uintptr(unsafe.Pointer(&target[0])), uintptr(len(target)), 0, 0)
	if errno != 0 {
		return "", errno
	}
	return string(target[:n]), nil
}

// Unlink removes anything but a directory.
func Unlink(directory int, name string) error { return unlink(directory, name, 0) }

// RemoveDirectory removes an empty directory.
func RemoveDirectory(directory int, name string) error { return unlink(directory, name, atRemoveDir) }

func unlink(directory int, name string, flags uintptr) error {
	pointer, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_UNLINKAT, uintptr(directory), uintptr(unsafe.Pointer(pointer)), flags)
	return asError(errno)
}

// Rename moves a name over another, if there is one.
func Rename(fromDirectory int, from string, toDirectory int, to string) error {
	return syscall.Renameat(fromDirectory, from, toDirectory, to)
}

// MakeDirectory creates a directory; the umask applies.
func MakeDirectory(directory int, name string, mode uint32) error {
	return syscall.Mkdirat(directory, name, mode)
}

// Symlink creates name, leading to target.
func Symlink(target string, directory int, name string) error {
	to, err := syscall.BytePtrFromString(target)
	if err != nil {
		return err
	}
	pointer, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(to)), uintptr(directory), uintptr(unsafe.Pointer(pointer)))
	return asError(errno)
}

// SetModified sets the time of last modification (and access) of an open file.
func SetModified(fd int, seconds int64) error {
	times := [2]syscall.Timespec{{Sec: seconds}, {Sec: seconds}}
	_, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times[0])), 0, 0, 0)
	return asError(errno)
}

// IsOnProc tells whether an open file, or O_PATH handle, is on procfs, where files are doors into processes, this
// one first of all.
func IsOnProc(fd int) (bool, error) {
	var stat syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &stat); err != nil {
		return false, err
	}
	return int64(stat.Type) == procMagic, nil
}

func asError(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
