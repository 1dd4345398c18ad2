package connect

import (
	"os"
	"syscall"
	"time"
)

// dial connects to a port of a loopback address. (Package net would bring a resolver and a megabyte.)
func dial(host string, port int) (*os.File, error) {
	family, address := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if host == "::1" {
		family, address = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	err = syscall.Connect(fd, address)
	if err != nil && err != syscall.EINPROGRESS && err != syscall.EINTR {
		syscall.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "tcp")
	if err != nil {
		if err := awaitConnect(file); err != nil {
			file.Close()
			return nil, err
		}
	}
	return file, nil
}

// awaitConnect waits until a connect that is under way has succeeded or failed.
func awaitConnect(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	_ = file.SetWriteDeadline(time.Now().Add(dialLimit))
	defer func() { _ = file.SetWriteDeadline(time.Time{}) }()
	var result error
	err = raw.Write(func(fd uintptr) bool {
		if _, err := syscall.Getpeername(int(fd)); err == nil {
			return true
		}
		value, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err != nil {
			result = err
			return true
		}
		if value != 0 {
			result = syscall.Errno(value)
			return true
		}
		return false
	})
	if os.IsTimeout(err) {
		return syscall.ETIMEDOUT
	}
	if err != nil {
		return err
	}
	return result
}

func control(file *os.File, do func(fd int)) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}
