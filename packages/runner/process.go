package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"nanoclaw/runner/internal/mux"
)

const (
	prSetDumpable       = 4
	prSetChildSubreaper = 36
)

// hideFromPayload makes this process one that code of the same user can't trace, read, or reach through /proc/1/fd, and the one that
// orphans come to (where it isn't PID 1).
func hideFromPayload() {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		os.Exit(exitUsage)
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
}

// unblockSignals starts this program anew where it was started with signals blocked: the Go runtime would hand that down to every command.
func unblockSignals() {
	const setMask = 2
	var mask, empty uint64
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&mask)), 8, 0, 0)
	if errno == 0 && mask != 0 {
		_ = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}

// catchSignals takes every signal that could end or stop this process: a payload has the same user and may send them. They are caught,
// not ignored: a child would inherit that. What is not listed does nothing anyway.
func catchSignals() <-chan os.Signal {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	nowhere := make(chan os.Signal, 1) // a signal that finds it full is dropped
	signal.Notify(nowhere,
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS,
		syscall.SIGFPE, syscall.SIGUSR1, syscall.SIGSEGV, syscall.SIGUSR2, syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGSTKFLT,
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGVTALRM, syscall.SIGPROF,
		syscall.SIGIO, syscall.SIGPWR, syscall.SIGSYS)
	return terminate
}

// lowerLimits puts the host's limits on this process, and so on all that it starts. None is raised.
func lowerLimits(limits mux.Rlimits) {
	const rlimitNproc = 6
	lower(syscall.RLIMIT_NOFILE, limits.Nofile)
	lower(rlimitNproc, limits.Nproc)
	lower(syscall.RLIMIT_CORE, limits.Core)
	lower(syscall.RLIMIT_FSIZE, limits.Fsize)
}

func lower(resource int, limit *uint64) {
	var now syscall.Rlimit
	if limit == nil || syscall.Getrlimit(resource, &now) != nil {
		return
	}
	if *limit < now.Max {
		now.Max = *limit
	}
	if *limit < now.Cur {
		now.Cur = *limit
	}
	_ = syscall.Setrlimit(resource, &now)
}
