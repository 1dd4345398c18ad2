package execs

import (
	"os"
	"strconv"
	"syscall"
)

// SealDescriptors makes sure that no command gets a descriptor which whoever started the runner left open (as runc did, CVE-2024-21626).
func SealDescriptors() {
	const (
		sysCloseRange = 436
		cloexec       = 1 << 2
	)
	if _, _, errno := syscall.RawSyscall(sysCloseRange, 3, 1<<32-1, cloexec); errno == 0 {
		return
	}
	directory, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer directory.Close()
	names, _ := directory.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
