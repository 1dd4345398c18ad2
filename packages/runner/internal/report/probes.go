package report

import (
	"runtime"
	"syscall"
)

// probe makes one call that must be refused in a sandbox, with arguments that do no harm where it isn't: the kernel
// turns them down by themselves (EINVAL, EFAULT, EBADF, ESRCH), if possible before it looks at privileges, so that EPERM and
// ENOSYS come from the seccomp filter.
type probe struct {
	name string
	call func() syscall.Errno
}

// runProbes runs all of them on a thread that ends with them, as some would change its credentials.
func runProbes() map[string]string {
	done := make(chan map[string]string)
	go onDisposableThread(done)
	return <-done
}

func onDisposableThread(done chan<- map[string]string) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if syscall.Gettid() == syscall.Getpid() {
		// The main thread stands for the process in /proc: leave it as it is, and take another.
		defer runtime.UnlockOSThread()
		other := make(chan map[string]string)
		go onDisposableThread(other)
		done <- <-other
		return
	}
	results := map[string]string{}
	for _, group := range [][]probe{namespaceProbes, mountProbes, kernelProbes, socketProbes, privilegeProbes} {
		for _, probe := range group {
			results[probe.name] = errnoName(probe.call())
		}
	}
	done <- results
}

// invalid is an address that no process has, a descriptor that is never open, and a set of flags that no call knows.
const invalid = ^uintptr(0)

// call makes a system call with up to six arguments.
func call(number uintptr, arguments ...uintptr) syscall.Errno {
	_, errno := callFor(number, arguments...)
	return errno
}

func callFor(number uintptr, arguments ...uintptr) (uintptr, syscall.Errno) {
	var all [6]uintptr
	copy(all[:], arguments)
	value, _, errno := syscall.Syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5])
	return value, errno
}

// calling makes the call of a probe.
func calling(number uintptr, arguments ...uintptr) func() syscall.Errno {
	return func() syscall.Errno { return call(number, arguments...) }
}
