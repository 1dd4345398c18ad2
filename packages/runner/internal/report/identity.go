package report

import (
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	prGetDumpable   = 3
	prGetSeccomp    = 21
	prCapBsetRead   = 23
	prGetNoNewPrivs = 39
	prCapAmbient    = 47
)

// prctl answers -1 where the kernel refuses.
func prctl(option, second, third uintptr) int {
	value, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, second, third, 0, 0, 0)
	if errno != 0 {
		return -1
	}
	return int(value)
}

func userIDs() [3]uint32  { return threeIDs(syscall.SYS_GETRESUID) }
func groupIDs() [3]uint32 { return threeIDs(syscall.SYS_GETRESGID) }

// threeIDs asks for the real, effective and saved id.
func threeIDs(call uintptr) (ids [3]uint32) {
	syscall.RawSyscall(call, uintptr(unsafe.Pointer(&ids[0])), uintptr(unsafe.Pointer(&ids[1])), uintptr(unsafe.Pointer(&ids[2])))
	return ids
}

func groups() []int {
	found, err := syscall.Getgroups()
	if err != nil || found == nil {
		return []int{}
	}
	return found
}

// umask can only be asked for by setting it, for the whole process, which might be creating a file: status tells it too.
func umask(status status) int {
	if mask, err := strconv.ParseInt(status["Umask"], 8, 32); err == nil {
		return int(mask)
	}
	mask := syscall.Umask(0o077)
	syscall.Umask(mask)
	return mask
}

// dumpable is 1 where the kernel doesn't say.
func dumpable() int {
	if value := prctl(prGetDumpable, 0, 0); value >= 0 {
		return value
	}
	return 1
}

// seccompMode is of this thread, from which all others descend: the call can't be made in strict mode, and needs no /proc.
func seccompMode(status status) int {
	if value := prctl(prGetSeccomp, 0, 0); value >= 0 {
		return value
	}
	return int(status.number("Seccomp"))
}

func securityLabel() string {
	return strings.Trim(readText("/proc/self/attr/current"), "\x00\n")
}

func oomScoreAdj() int64 {
	value, _ := strconv.ParseInt(strings.TrimSpace(readText("/proc/self/oom_score_adj")), 10, 32)
	return value
}
