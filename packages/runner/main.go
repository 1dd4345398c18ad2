// Nanoclaw-runner is PID 1 of every sandbox. It serves the protocol of docs/protocol.md on its stdin and stdout, and makes no decision.
package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"nanoclaw/runner/internal/connect"
	"nanoclaw/runner/internal/execs"
	"nanoclaw/runner/internal/kinds"
	"nanoclaw/runner/internal/lease"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/report"
)

// version is set by the build.
var version = "0.0.0-dev"

// Exit codes.
const (
	exitEnded     = 0
	exitViolation = 2
	exitLease     = 3
	exitUsage     = 64
)

const (
	leaseBeforeHello = 30 * time.Second
	goodbyeLimit     = 500 * time.Millisecond
)

type runner struct {
	init    bool
	table   *execs.Table
	session *mux.Session
	lease   *lease.Lease
	ending  sync.Mutex

	lifetimeMu sync.Mutex
	lifetime   *time.Timer
}

func main() {
	hideFromPayload()
	unblockSignals()
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(version)
		return
	}
	if len(os.Args) != 1 {
		fmt.Fprintln(os.Stderr, "nanoclaw-runner takes no arguments: it speaks the NanoClaw protocol on its stdin and stdout")
		os.Exit(exitUsage)
	}
	execs.SealDescriptors()
	report.CaptureEnvironment()
	os.Clearenv()
	terminate := catchSignals()
	prepareThreads()
	r := &runner{init: os.Getpid() == 1}
	r.run(terminate)
}

func (r *runner) run(terminate <-chan os.Signal) {
	input, output := channelFile(0, "input"), channelFile(1, "output")
	r.table = execs.NewTable(r.init)
	r.lease = lease.New(0, leaseBeforeHello)
	collector := startCollector(r.table.Rest)
	var masked []string
	collect := func() any { return report.Collect(masked) }
	services := kinds.New(collect).All()
	services["exec"] = r.table.Open
	services["connect"] = connect.Open
	r.session = mux.New(output, mux.Options{
		Version: version,
		Kinds:   services,
		Greeted: func(hello mux.Hello) any {
			r.lease.SetLimit(time.Duration(hello.LeaseMs) * time.Millisecond)
			lowerLimits(hello.Rlimits)
			masked = hello.MaskedPaths
			return collect()
		},
		Heard: func() {
			r.lease.Heard()
			collector.poke()
		},
		Lifetime: r.setLifetime,
	})
	go func() {
		<-terminate
		r.goodbye("terminated")
	}()
	go func() {
		r.lease.Wait(func() {
			r.table.Nudge()
			collector.giveBack()
		})
		r.end(exitLease, "the host was silent for longer than the lease")
	}()
	if err := r.session.Run(input); err != nil {
		r.end(exitViolation, err.Error())
	}
	r.end(exitEnded, "")
}

// setLifetime sets when the sandbox ends by itself, counted from now.
func (r *runner) setLifetime(remaining time.Duration) {
	r.lifetimeMu.Lock()
	defer r.lifetimeMu.Unlock()
	if r.lifetime != nil {
		r.lifetime.Stop()
	}
	r.lifetime = time.AfterFunc(remaining, func() { r.goodbye("lifetime") })
}

// goodbye ends the sandbox and says why.
func (r *runner) goodbye(reason string) {
	r.session.Goodbye(reason, goodbyeLimit)
	r.end(exitEnded, "")
}

// end kills everything and exits, once.
func (r *runner) end(code int, why string) {
	r.ending.Lock()
	if why != "" {
		fmt.Fprintln(os.Stderr, "nanoclaw-runner: "+why)
	}
	if !r.init { // with PID 1 of a namespace the kernel kills all the rest
		r.table.KillAll()
	}
	os.Exit(code)
}

// channelFile is a descriptor of ours as a file that waits without a thread.
func channelFile(fd int, name string) *os.File {
	_ = syscall.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}
