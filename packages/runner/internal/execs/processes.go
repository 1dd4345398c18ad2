package execs

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// procInfo is what a sweep needs to know of a process.
type procInfo struct {
	parent int
	state  byte
}

func (p procInfo) stopped() bool { return p.state == 'T' || p.state == 't' }
func (p procInfo) dead() bool    { return p.state == 'Z' || p.state == 'X' }

// readProcesses reads all of /proc. It is no atomic picture: processes come and go meanwhile.
func readProcesses() map[int]procInfo {
	directory, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer directory.Close()
	processes := make(map[int]procInfo, 64)
	for {
		names, err := directory.Readdirnames(256)
		for _, name := range names {
			if name[0] < '1' || name[0] > '9' {
				continue
			}
			if pid, err := strconv.Atoi(name); err == nil {
				if info, ok := readProcess(pid); ok {
					processes[pid] = info
				}
			}
		}
		if err != nil {
			return processes
		}
	}
}

// readProcess reads one process; false when it is gone.
func readProcess(pid int) (procInfo, bool) {
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return procInfo{}, false
	}
	defer syscall.Close(fd)
	var buffer [256]byte
	n, err := syscall.Read(fd, buffer[:])
	if err != nil || n <= 0 {
		return procInfo{}, false
	}
	return parseStat(buffer[:n])
}

// parseStat reads `pid (name) state parent …`; the name may contain anything.
func parseStat(text []byte) (procInfo, bool) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 || len(text) < end+5 {
		return procInfo{}, false
	}
	info := procInfo{state: text[end+2]}
	for _, c := range text[end+4:] {
		if c < '0' || c > '9' {
			return info, c == ' '
		}
		info.parent = info.parent*10 + int(c-'0')
	}
	return procInfo{}, false
}
