package report

import (
	"os"
	"sort"
	"strconv"
	"syscall"
)

// OpenFile is a file that this process has open.
type OpenFile struct {
	FD     int    `json:"fd"`
	Target string `json:"target"`
}

const (
	ownFilesDirectory = "/proc/self/fd"
	// The host takes this many.
	maxOpenFiles = 1024
)

func openFiles() []OpenFile {
	fd, err := syscall.Open(ownFilesDirectory, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return openFilesByNumber()
	}
	directory := os.NewFile(uintptr(fd), ownFilesDirectory)
	defer directory.Close()
	names, _ := directory.Readdirnames(-1)
	all := []OpenFile{}
	for _, name := range names {
		number, err := strconv.Atoi(name)
		if err != nil || number == fd {
			continue
		}
		target, err := readLink(ownFilesDirectory + "/" + name)
		if err == syscall.ENOENT {
			continue // closed meanwhile
		}
		if err != nil {
			target = "unknown"
		}
		all = append(all, OpenFile{number, target})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].FD < all[j].FD })
	if len(all) > maxOpenFiles {
		all = all[:maxOpenFiles]
	}
	return all
}

// openFilesByNumber tries numbers, where /proc doesn't tell.
func openFilesByNumber() []OpenFile {
	all := []OpenFile{}
	for number := 0; number < maxOpenFiles; number++ {
		var stat syscall.Stat_t
		if syscall.Fstat(number, &stat) == nil {
			all = append(all, OpenFile{number, "unknown"})
		}
	}
	return all
}
