package report

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Capabilities are the five sets, as 16 hex digits each.
type Capabilities struct {
	Inheritable string `json:"inheritable"`
	Permitted   string `json:"permitted"`
	Effective   string `json:"effective"`
	Bounding    string `json:"bounding"`
	Ambient     string `json:"ambient"`
}

const (
	capabilityVersion3 = 0x20080522
	prCapAmbientIsSet  = 1
	maxCapability      = 63
)

type capabilityHeader struct {
	version uint32
	pid     int32
}

// capabilityData holds the lower, then the upper 32 bits.
type capabilityData [2]struct{ effective, permitted, inheritable uint32 }

func getCapabilities() (data capabilityData, err syscall.Errno) {
	header := capabilityHeader{version: capabilityVersion3}
	_, _, err = syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	return data, err
}

func setCapabilities(data *capabilityData) syscall.Errno {
	header := capabilityHeader{version: capabilityVersion3}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(data)), 0)
	return errno
}

func capabilities() Capabilities {
	const unknown = "ffffffffffffffff"
	data, errno := getCapabilities()
	sets := Capabilities{
		Inheritable: hex64(data[0].inheritable, data[1].inheritable),
		Permitted:   hex64(data[0].permitted, data[1].permitted),
		Effective:   hex64(data[0].effective, data[1].effective),
		Bounding:    eachCapability(func(bit uintptr) int { return prctl(prCapBsetRead, bit, 0) }),
		Ambient:     eachCapability(func(bit uintptr) int { return prctl(prCapAmbient, prCapAmbientIsSet, bit) }),
	}
	if errno != 0 {
		sets.Inheritable, sets.Permitted, sets.Effective = unknown, unknown, unknown
	}
	return sets
}

// eachCapability asks for every bit until the kernel knows no more.
func eachCapability(has func(bit uintptr) int) string {
	var set uint64
	for bit := uintptr(0); bit <= maxCapability; bit++ {
		answer := has(bit)
		if answer < 0 {
			break
		}
		if answer > 0 {
			set |= 1 << bit
		}
	}
	return fmt.Sprintf("%016x", set)
}

func hex64(low, high uint32) string {
	return fmt.Sprintf("%08x%08x", high, low)
}
