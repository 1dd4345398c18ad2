package files

import (
	"io"
	"os"
	"syscall"
)

// namesAtOnce bounds the memory that a directory of any size takes.
const namesAtOnce = 256

// List hands out the entries of a directory, in no order, without `.` and `..`. An error of emit ends it and is returned.
func List(path []byte, emit func(Entry) error) (count int, err error) {
	place, err := find(path, lookup{followLast: true})
	if err != nil {
		return 0, Fail("list", path, err)
	}
	fd, err := OpenDirectory(place.Directory, place.Name)
	place.Close()
	if err != nil {
		return 0, Fail("list", path, err)
	}
	directory := os.NewFile(uintptr(fd), "directory")
	defer directory.Close()
	for {
		names, err := directory.Readdirnames(namesAtOnce)
		if err == io.EOF {
			return count, nil
		}
		if err != nil {
			return count, Fail("list", path, err)
		}
		for _, name := range names {
			entry, err := entryAt(fd, name)
			if err == syscall.ENOENT {
				continue // removed meanwhile
			}
			if err != nil {
				return count, Fail("list", path, err)
			}
			if err := emit(entry); err != nil {
				return count, err
			}
			count++
		}
	}
}
