package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// spareThreads is more than are ever in system calls at once.
	spareThreads = 10
	// garbageBytes is how much is allocated before it is collected.
	garbageBytes = 160 << 10
	// memoryLimitBytes makes the Go runtime collect by itself, at the latest.
	memoryLimitBytes = 32 << 20
	// pokesPerLook is how many reads of the channel lie between two looks at the heap.
	pokesPerLook = 8
)

// prepareThreads starts all the threads that will be needed: where a payload has used up the container's processes, the Go runtime could
// start none and would give up.
func prepareThreads() {
	runtime.MemProfileRate = 0
	runtime.GOMAXPROCS(2)
	var ends [2]int
	if syscall.Pipe2(ends[:], syscall.O_CLOEXEC) != nil {
		return
	}
	var entered atomic.Int32
	left := make(chan struct{})
	for i := 0; i < spareThreads; i++ {
		go func() {
			var buffer [1]byte
			entered.Add(1)
			_, _ = syscall.Read(ends[0], buffer[:])
			left <- struct{}{}
		}()
	}
	for entered.Load() < spareThreads {
		runtime.Gosched()
	}
	time.Sleep(200 * time.Microsecond) // the last ones are on their way into read
	syscall.Close(ends[1])
	for i := 0; i < spareThreads; i++ {
		<-left
	}
	syscall.Close(ends[0])
}

// collector collects garbage while nothing is being started. Left to itself the Go runtime might begin to stop the world while a
// thread waits for a child that has not run its program yet, and a payload that stops this child would stop us: the child could not
// be continued any more (see execs.unstickFork), and no lease would end us.
type collector struct {
	pokes atomic.Uint32
	look  chan struct{}
	tidy  chan struct{}
}

func startCollector(rest func(func())) *collector {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimitBytes)
	c := &collector{look: make(chan struct{}, 1), tidy: make(chan struct{}, 1)}
	go c.run(rest)
	return c
}

// giveBack gives memory back that isn't needed any more.
func (c *collector) giveBack() {
	select {
	case c.tidy <- struct{}{}:
	default:
	}
}

func (c *collector) poke() {
	if c.pokes.Add(1)%pokesPerLook != 0 {
		return
	}
	select {
	case c.look <- struct{}{}:
	default:
	}
}

func (c *collector) run(rest func(func())) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	collected, tidied := uint64(0), uint64(0)
	for {
		select {
		case <-c.look:
			if now := allocated(); now-collected > garbageBytes {
				collected = now
				rest(runtime.GC)
			}
		case <-c.tidy:
			if now := allocated(); now-tidied > garbageBytes {
				collected, tidied = now, now
				rest(debug.FreeOSMemory)
			}
		}
	}
}
