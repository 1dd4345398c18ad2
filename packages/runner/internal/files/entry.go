package files

import (
	"encoding/base64"
	"strings"
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

// maxInteger is the largest number that the protocol carries.
const maxInteger = 1<<53 - 1

// Entry describes one file, as the protocol's `E`.
type Entry struct {
	NameBase64   string `json:"nameBase64"`
	Type         string `json:"type"`
	Size         int64  `json:"size"`
	Mode         uint32 `json:"mode"`
	UID          uint32 `json:"uid"`
	GID          uint32 `json:"gid"`
	ModifiedMs   int64  `json:"modifiedMs"`
	TargetBase64 string `json:"targetBase64"`
}

var types = map[uint32]string{
	syscall.S_IFREG:  "file",
	syscall.S_IFDIR:  "directory",
	syscall.S_IFLNK:  "symlink",
	syscall.S_IFIFO:  "fifo",
	syscall.S_IFSOCK: "socket",
	syscall.S_IFBLK:  "block",
	syscall.S_IFCHR:  "character",
}

// Stat describes the file at the path; a symlink in the last place is followed if follow is true.
func Stat(path []byte, follow bool) (Entry, error) {
	place, err := find(path, lookup{followLast: follow})
	if err != nil {
		return Entry{}, Fail("look at", path, err)
	}
	defer place.Close()
	entry, err := entryAt(place.Directory, place.Name)
	if err != nil {
		return Entry{}, Fail("look at", path, err)
	}
	entry.NameBase64 = base64.StdEncoding.EncodeToString([]byte(baseName(string(path))))
	return entry, nil
}

func entryAt(directory int, name string) (Entry, error) {
	stat, err := at.Stat(directory, name)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{
		NameBase64: base64.StdEncoding.EncodeToString([]byte(name)),
		Type:       types[stat.Mode&syscall.S_IFMT],
		Size:       bounded(stat.Size),
		Mode:       stat.Mode & 0o7777,
		UID:        stat.Uid,
		GID:        stat.Gid,
		ModifiedMs: milliseconds(stat.Mtim),
	}
	if entry.Type == "symlink" {
		target, err := at.Readlink(directory, name)
		if err != nil {
			return Entry{}, err
		}
		entry.TargetBase64 = base64.StdEncoding.EncodeToString([]byte(target))
	}
	return entry, nil
}

func baseName(path string) string {
	trimmed := strings.TrimRight(path, "/")
	if trimmed == "" {
		return "/"
	}
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}

// Sizes and times are the payload's to choose (`truncate -s 8E`, `touch -d`), the protocol's numbers are not.
func bounded(value int64) int64 {
	switch {
	case value < 0:
		return 0
	case value > maxInteger:
		return maxInteger
	}
	return value
}

func milliseconds(time syscall.Timespec) int64 {
	const most = maxInteger / 1000
	seconds := time.Sec
	if seconds > most-1 {
		seconds = most - 1
	}
	if seconds < -most {
		seconds = -most
	}
	return int64(seconds)*1000 + int64(time.Nsec)/1_000_000
}
