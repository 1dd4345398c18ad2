package execs

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"nanoclaw/runner/internal/mux"
)

const tiocGPtPeer = 0x5441

// openPty makes a terminal: its master is our end of both input and output.
func openPty(stream *mux.Stream, window size) (*stdio, error) {
	master, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	slave, err := openSlave(master)
	if err == nil {
		err = setWindow(master, window)
		if err != nil {
			syscall.Close(slave)
		}
	}
	if err != nil {
		syscall.Close(master)
		return nil, err
	}
	file := os.NewFile(uintptr(master), "terminal")
	output := newOutlet(stream, 0, file, master)
	output.pty = true
	return &stdio{
		input:   file,
		outlets: []*outlet{output},
		child:   [3]uintptr{uintptr(slave), uintptr(slave), uintptr(slave)},
		close:   []int{slave},
		pty:     true,
	}, nil
}

func openSlave(master int) (int, error) {
	unlock := int32(0)
	if err := ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		return -1, err
	}
	const flags = syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_CLOEXEC
	if fd, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), tiocGPtPeer, flags); errno == 0 {
		return int(fd), nil
	}
	var number int32
	if err := ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return -1, err
	}
	return syscall.Open(fmt.Sprintf("/dev/pts/%d", number), flags, 0)
}

// setWindow sets a terminal's size; the foreground processes get SIGWINCH.
func setWindow(fd int, window size) error {
	value := [4]uint16{window.Rows, window.Columns, 0, 0}
	return ioctl(fd, syscall.TIOCSWINSZ, unsafe.Pointer(&value))
}

// endOfFile is what to type to end the input of whoever reads from the terminal, or nothing where it takes every byte as it is.
func endOfFile(fd int, atLineStart bool) []byte {
	var state syscall.Termios
	if ioctl(fd, syscall.TCGETS, unsafe.Pointer(&state)) != nil || state.Lflag&syscall.ICANON == 0 {
		return nil
	}
	key := state.Cc[syscall.VEOF]
	if atLineStart {
		return []byte{key}
	}
	return []byte{key, key} // the first one hands over the unfinished line
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
