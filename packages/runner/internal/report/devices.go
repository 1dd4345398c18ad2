package report

import (
	"os"
	"path/filepath"
	"syscall"
)

// Device is a file below /dev that is neither a directory nor a regular file nor a symlink.
type Device struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Major int64  `json:"major"`
	Minor int64  `json:"minor"`
}

const (
	// The host takes this many. A payload can make fifos and sockets in /dev/shm, so they come after the devices.
	maxDevices = 1024
	// A payload can fill /dev/shm; making a device there is another matter.
	maxDeviceEntries = 16_384
	namesAtOnce      = 256
	ptsDirectory     = "/dev/pts"
)

// devices looks through a directory without following symlinks, and not into pts, whose devices are terminals of our own.
func devices(root string) []Device {
	nodes, others := []Device{}, []Device{}
	looked := 0
	for pending := []string{root}; len(pending) > 0 && looked < maxDeviceEntries; {
		directory := pending[0]
		pending = pending[1:]
		for _, name := range namesIn(directory, maxDeviceEntries-looked) {
			looked++
			path := filepath.Join(directory, name)
			var stat syscall.Stat_t
			if syscall.Lstat(path, &stat) != nil {
				continue
			}
			switch stat.Mode & syscall.S_IFMT {
			case syscall.S_IFDIR:
				if path != ptsDirectory {
					pending = append(pending, path)
				}
			case syscall.S_IFCHR:
				nodes = append(nodes, Device{path, "character", major(stat.Rdev), minor(stat.Rdev)})
			case syscall.S_IFBLK:
				nodes = append(nodes, Device{path, "block", major(stat.Rdev), minor(stat.Rdev)})
			case syscall.S_IFIFO:
				others = append(others, Device{Path: path, Type: "fifo"})
			case syscall.S_IFSOCK:
				others = append(others, Device{Path: path, Type: "socket"})
			}
		}
	}
	all := append(nodes, others...)
	if len(all) > maxDevices {
		all = all[:maxDevices]
	}
	return all
}

// namesIn gives at most so many names, none where the directory can't be read.
func namesIn(path string, most int) []string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	directory := os.NewFile(uintptr(fd), path)
	defer directory.Close()
	var all []string
	for len(all) < most {
		names, err := directory.Readdirnames(namesAtOnce)
		all = append(all, names...)
		if err != nil {
			break
		}
	}
	return all
}

func major(device uint64) int64 {
	return int64(device>>8&0xfff | device>>32&^0xfff)
}

func minor(device uint64) int64 {
	return int64(device&0xff | device>>12&0xffffff00)
}
