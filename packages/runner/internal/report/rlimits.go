package report

import (
	"syscall"
	"unsafe"
)

// Rlimit is the soft and the hard limit; -1 is unlimited.
type Rlimit [2]int64

// rlimitNames are in the order of their numbers, which are the same on amd64 and arm64.
var rlimitNames = [16]string{
	"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
	"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime",
}

// rlimits asks the kernel: the Go library's own answer is altered for nofile.
func rlimits() map[string]Rlimit {
	all := make(map[string]Rlimit, len(rlimitNames))
	for number, name := range rlimitNames {
		var values [2]uint64
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(number), 0, uintptr(unsafe.Pointer(&values)), 0, 0)
		if errno == 0 {
			all[name] = Rlimit{rlimitValue(values[0]), rlimitValue(values[1])}
		}
	}
	return all
}

func rlimitValue(value uint64) int64 {
	if value == ^uint64(0) {
		return -1
	}
	return bounded(value)
}
