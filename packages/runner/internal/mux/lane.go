package mux

import "sync"

const (
	initialWindow = 32768
	maxWindow     = 1048576
	// creditStep is how much the consumer takes before the host hears of it.
	creditStep = initialWindow / 4
)

var laneBuffers = sync.Pool{New: func() any { return new([initialWindow]byte) }}

// incoming is what the host has sent on a stream and nobody has taken yet: never more than its window.
type incoming struct {
	buffer *[initialWindow]byte
	head   int
	tail   int
	window int
	owed   int
	ended  bool
}

// receive keeps payload; false means that it goes beyond the window.
func (l *incoming) receive(payload []byte, keep bool) bool {
	if len(payload) > l.window {
		return false
	}
	l.window -= len(payload)
	if !keep {
		return true
	}
	if l.buffer == nil {
		l.buffer = laneBuffers.Get().(*[initialWindow]byte)
		l.head, l.tail = 0, 0
	}
	if l.tail+len(payload) > initialWindow {
		l.tail = copy(l.buffer[:], l.buffer[l.head:l.tail])
		l.head = 0
	}
	l.tail += copy(l.buffer[l.tail:], payload)
	return true
}

func (l *incoming) empty() bool { return l.head == l.tail }

// take moves bytes to p and says how much credit is due.
func (l *incoming) take(p []byte) (n, credit int) {
	n = copy(p, l.buffer[l.head:l.tail])
	l.head += n
	if l.empty() {
		l.drop()
	}
	l.owed += n
	if l.ended || l.owed < creditStep {
		return n, 0
	}
	credit = l.owed
	l.owed = 0
	l.window += credit
	return n, credit
}

// drop forgets what is kept.
func (l *incoming) drop() {
	if l.buffer != nil {
		laneBuffers.Put(l.buffer)
		l.buffer = nil
	}
	l.head, l.tail = 0, 0
}
