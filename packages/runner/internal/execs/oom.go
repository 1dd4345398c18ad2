package execs

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"syscall"
)

// oomCounter reads how many processes the kernel has killed in this container for lack of memory.
type oomCounter struct {
	once sync.Once
	fd   int
}

// current opens the counter at the first command, not before: until the report is out, the runner holds no file open.
func (c *oomCounter) current() (uint64, bool) {
	c.once.Do(c.open)
	return c.read()
}

// open looks for the counter where a container sees its own cgroup: at the mount's root, or at the path that /proc/self/cgroup tells.
func (c *oomCounter) open() {
	c.fd = -1
	text, _ := os.ReadFile("/proc/self/cgroup")
	var candidates []string
	for _, line := range strings.Split(string(text), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			candidates = append(candidates, "/sys/fs/cgroup"+parts[2]+"/memory.events", "/sys/fs/cgroup/memory.events")
		}
		for _, controller := range strings.Split(parts[1], ",") {
			if controller == "memory" {
				candidates = append(candidates, "/sys/fs/cgroup/memory"+parts[2]+"/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control")
			}
		}
	}
	for _, path := range candidates {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		c.fd = fd
		if _, ok := c.read(); ok {
			return
		}
		_ = syscall.Close(fd)
		c.fd = -1
	}
}

// read returns the count; false where there is none.
func (c *oomCounter) read() (uint64, bool) {
	if c.fd < 0 {
		return 0, false
	}
	var buffer [512]byte
	n, err := syscall.Pread(c.fd, buffer[:], 0)
	if err != nil {
		return 0, false
	}
	text := buffer[:n]
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		const name = "oom_kill "
		if len(line) > len(name) && string(line[:len(name)]) == name {
			var count uint64
			for _, digit := range line[len(name):] {
				if digit < '0' || digit > '9' {
					return 0, false
				}
				count = count*10 + uint64(digit-'0')
			}
			return count, true
		}
	}
	return 0, false
}
