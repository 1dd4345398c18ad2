// Package poll asks a descriptor whether there is something to read.
package poll

import (
	"syscall"
	"unsafe"
)

// What there may be.
const (
	Input  = 0x01
	HangUp = 0x10
)

// Now says what can be had from fd at once: 0 is nothing.
func Now(fd int) int {
	entry := struct {
		fd      int32
		events  int16
		revents int16
	}{fd: int32(fd), events: Input}
	var timeout syscall.Timespec
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&entry)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
		switch errno {
		case 0:
			return int(entry.revents)
		case syscall.EINTR:
		default:
			return 0
		}
	}
}
