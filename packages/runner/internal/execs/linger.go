package execs

import (
	"os"
	"sync"
)

// maxLingering is how many outputs of ended commands are still read because background children hold them.
const maxLingering = 256

// lingerers are outputs of ended commands. Beyond the limit the oldest is closed: a payload that hoards pipes must not use up the
// runner's open files.
type lingerers struct {
	mu    sync.Mutex
	files []*os.File
}

func (l *lingerers) add(file *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) >= maxLingering {
		l.files[0].Close()
		l.files = append(l.files[:0], l.files[1:]...)
	}
	l.files = append(l.files, file)
}

func (l *lingerers) remove(file *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.files {
		if other == file {
			l.files = append(l.files[:i], l.files[i+1:]...)
			return
		}
	}
}
