package execs

import (
	"os"
	"syscall"

	"nanoclaw/runner/internal/mux"
)

// stdio is what a command reads and writes: our ends as files, its ends as descriptors 0, 1 and 2.
type stdio struct {
	input   *os.File // nil without stdin
	outlets []*outlet
	child   [3]uintptr
	close   []int // the command's ends, to be closed here
	pty     bool
}

// openPipes makes three pipes, or two and /dev/null.
func openPipes(stream *mux.Stream, withStdin bool) (s *stdio, err error) {
	s = &stdio{}
	defer func() {
		if err != nil {
			s.abandon()
		}
	}()
	if withStdin {
		theirs, ours, err := pipe(false)
		if err != nil {
			return s, err
		}
		s.input = os.NewFile(uintptr(ours), "stdin")
		s.give(0, theirs)
	} else {
		null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return s, err
		}
		s.give(0, null)
	}
	for lane := byte(0); lane < 2; lane++ {
		ours, theirs, err := pipe(true)
		if err != nil {
			return s, err
		}
		s.outlets = append(s.outlets, newOutlet(stream, lane, os.NewFile(uintptr(ours), "output"), ours))
		s.give(int(lane)+1, theirs)
	}
	return s, nil
}

// pipe makes one pipe; the end that stays here doesn't block.
func pipe(readHere bool) (read, write int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return 0, 0, err
	}
	here := ends[1]
	if readHere {
		here = ends[0]
	}
	return ends[0], ends[1], syscall.SetNonblock(here, true)
}

func (s *stdio) give(fd, descriptor int) {
	s.child[fd] = uintptr(descriptor)
	s.close = append(s.close, descriptor)
}

// started closes the command's ends.
func (s *stdio) started() {
	for _, fd := range s.close {
		_ = syscall.Close(fd)
	}
	s.close = nil
}

// abandon closes everything; the command was not started.
func (s *stdio) abandon() {
	s.started()
	if s.input != nil {
		s.input.Close()
	}
	for _, o := range s.outlets {
		o.file.Close()
	}
}
