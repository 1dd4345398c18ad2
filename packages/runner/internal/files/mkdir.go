package files

import (
	"bytes"
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

// Mkdir creates a directory of exactly this mode. Recursive creates what is missing on the way too (0755), and
// takes a directory that is there as it is.
func Mkdir(path []byte, mode uint32, recursive bool) error {
	place, err := find(withoutSlash(path), lookup{followLast: recursive, createParents: recursive})
	if err != nil {
		return Fail("create the directory", path, err)
	}
	defer place.Close()
	if err := makeDirectory(place, mode&0o7777); err != nil {
		if err == syscall.EEXIST && recursive && isDirectory(place) {
			return nil
		}
		return Fail("create the directory", path, err)
	}
	return nil
}

func makeDirectory(place *Place, mode uint32) error {
	if place.Name == "." {
		return syscall.EEXIST
	}
	if err := at.MakeDirectory(place.Directory, place.Name, 0o700); err != nil {
		return err
	}
	fd, err := OpenDirectory(place.Directory, place.Name)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Fchmod(fd, mode)
}

func isDirectory(place *Place) bool {
	stat, err := at.Stat(place.Directory, place.Name)
	return err == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFDIR
}

// withoutSlash makes `name/` mean the name, also where there is nothing or a symlink.
func withoutSlash(path []byte) []byte {
	if trimmed := bytes.TrimRight(path, "/"); len(trimmed) > 0 {
		return trimmed
	}
	return path
}

// MakeAll makes sure that a directory is at the path and opens it; symlinks on the way are followed.
func MakeAll(path []byte) (int, error) {
	if err := Mkdir(path, 0o755, true); err != nil {
		return -1, err
	}
	return OpenPath(path)
}

// OpenPath opens the directory at the path.
func OpenPath(path []byte) (int, error) {
	place, err := find(path, lookup{followLast: true})
	if err != nil {
		return -1, err
	}
	defer place.Close()
	return OpenDirectory(place.Directory, place.Name)
}
