package report

import (
	"syscall"
	"unsafe"
)

const (
	atFdcwd   = -100
	writeOK   = 2
	nullMajor = 1
	nullMinor = 3
)

// lookAtMasked tells of each path what can be had from it. Nothing is written, and one byte is read at most.
func lookAtMasked(paths []string) map[string]string {
	all := make(map[string]string, len(paths))
	for _, path := range paths {
		all[path] = lookAt(path)
	}
	return all
}

func lookAt(path string) string {
	var stat syscall.Stat_t
	switch err := syscall.Stat(path, &stat); err {
	case nil:
	case syscall.ENOENT, syscall.ENOTDIR:
		return "absent"
	case syscall.EACCES, syscall.EPERM:
		return "unreadable"
	default:
		return "readable"
	}
	switch kind := stat.Mode & syscall.S_IFMT; {
	case kind == syscall.S_IFDIR:
		return lookInto(path)
	case kind == syscall.S_IFCHR && major(stat.Rdev) == nullMajor && minor(stat.Rdev) == nullMinor:
		return "empty" // /dev/null mounted over it, which takes writes and keeps nothing
	case canWrite(path, kind):
		return "writable"
	}
	return firstByte(path)
}

// lookInto answers for a directory.
func lookInto(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return afterError(err)
	}
	defer syscall.Close(fd)
	var buffer [4096]byte
	n, err := syscall.ReadDirent(fd, buffer[:])
	if err != nil {
		return afterError(err)
	}
	if _, count, _ := syscall.ParseDirent(buffer[:n], -1, nil); count > 0 {
		return "readable"
	}
	return "empty"
}

// canWrite opens a regular file; anything else might act on being opened (a watchdog does), so only its permission is asked for.
func canWrite(path string, kind uint32) bool {
	if kind != syscall.S_IFREG {
		pointer, err := syscall.BytePtrFromString(path)
		if err != nil {
			return false
		}
		cwd := atFdcwd
		_, _, errno := syscall.Syscall(syscall.SYS_FACCESSAT, uintptr(cwd), uintptr(unsafe.Pointer(pointer)), writeOK)
		return errno == 0
	}
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err == nil {
		syscall.Close(fd)
	}
	return err == nil
}

func firstByte(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return afterError(err)
	}
	defer syscall.Close(fd)
	var buffer [1]byte
	n, err := syscall.Read(fd, buffer[:])
	if err != nil {
		return afterError(err)
	}
	if n == 0 {
		return "empty"
	}
	return "readable"
}

// afterError takes only a refusal for one: kmsg, say, has EINVAL for too small a buffer.
func afterError(err error) string {
	switch err {
	case syscall.EACCES, syscall.EPERM:
		return "unreadable"
	case syscall.ENOENT:
		return "absent"
	}
	return "readable"
}
