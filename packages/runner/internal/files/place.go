package files

import (
	"strings"
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

// Root is what relative paths are relative to.
var Root = "/workspace"

const (
	maxPathBytes = 4095
	// As many as the kernel follows.
	maxSymlinks = 40
)

// Place is a name in a directory that is held open: what the kernel would have made of a path, but looked up by ourselves,
// a component at a time, so that nothing leads through procfs. There, links lead straight to this process's own open files and
// memory, and a payload can plant a symlink to them; non-dumpable doesn't help, as it is the runner itself that looks.
// (openat2's RESOLVE_NO_MAGICLINKS does not cover procfs's ordinary files, and gVisor has no openat2.)
type Place struct {
	// Directory is an O_PATH handle, never on procfs.
	Directory int
	// Name is a single component; "." where the path names the directory itself.
	Name string
}

// Close gives the handle back.
func (place *Place) Close() { syscall.Close(place.Directory) }

// How a path is looked up.
type lookup struct {
	// Whether a symlink in the last component is followed too.
	followLast bool
	// Whether missing directories on the way are created.
	createParents bool
}

// FindTarget looks a path up, following symlinks to the end.
func FindTarget(path []byte) (*Place, error) { return find(path, lookup{followLast: true}) }

func find(path []byte, how lookup) (*Place, error) {
	text, err := absolute(path)
	if err != nil {
		return nil, err
	}
	directory, err := at.Open(-1, "/", at.Path|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	place := &Place{Directory: directory}
	if err := place.walk(text, how); err != nil {
		place.Close()
		return nil, err
	}
	return place, nil
}

func absolute(path []byte) (string, error) {
	text := string(path)
	switch {
	case text == "":
		return "", Refuse(Invalid, "use", path, "a path can't be empty")
	case strings.IndexByte(text, 0) >= 0:
		return "", Refuse(Invalid, "use", path, "a path can't contain a NUL byte")
	case len(text) > maxPathBytes:
		return "", syscall.ENAMETOOLONG
	case text[0] != '/':
		return Root + "/" + text, nil
	}
	return text, nil
}

// walk moves the place along the path; what is left at the end is the last component.
func (place *Place) walk(path string, how lookup) error {
	symlinks := 0
	pending := strings.TrimLeft(path, "/")
	for {
		name, rest, more := cutComponent(pending)
		if !more && !how.followLast && name != "" && name != "." && name != ".." {
			place.Name = name
			return nil
		}
		if name == "" || name == "." {
			if !more {
				place.Name = "."
				return nil
			}
			pending = rest
			continue
		}
		target, isLink, err := place.step(name, !more, how)
		switch {
		case err != nil:
			return err
		case place.Name != "":
			return nil
		case isLink:
			if symlinks++; symlinks > maxSymlinks {
				return syscall.ELOOP
			}
			if strings.HasPrefix(target, "/") {
				if err := place.enter("/"); err != nil {
					return err
				}
			}
			pending = strings.TrimLeft(target, "/")
			if more {
				pending += "/" + rest
			}
		case !more:
			place.Name = "."
			return nil
		default:
			pending = rest
		}
	}
}

// step goes into the directory name, or tells where the symlink name leads, or, at the end of the path, settles on
// a name that is anything else or missing.
func (place *Place) step(name string, last bool, how lookup) (target string, isLink bool, err error) {
	handle, err := at.Open(place.Directory, name, at.Path|syscall.O_NOFOLLOW, 0)
	if err == syscall.ENOENT && last {
		place.Name = name
		return "", false, nil
	}
	if err == syscall.ENOENT && how.createParents {
		if err = at.MakeDirectory(place.Directory, name, 0o755); err != nil && err != syscall.EEXIST {
			return "", false, err
		}
		handle, err = at.Open(place.Directory, name, at.Path|syscall.O_NOFOLLOW, 0)
	}
	if err != nil {
		return "", false, err
	}
	var stat syscall.Stat_t
	err = syscall.Fstat(handle, &stat)
	if err == nil {
		err = refuseProc(handle, name)
	}
	kind := stat.Mode & syscall.S_IFMT
	switch {
	case err != nil:
	case kind == syscall.S_IFDIR:
		syscall.Close(place.Directory)
		place.Directory = handle
		return "", false, nil
	case kind == syscall.S_IFLNK:
		target, err = at.Readlink(place.Directory, name)
		isLink = true
	case last:
		place.Name = name
	default:
		err = syscall.ENOTDIR
	}
	syscall.Close(handle)
	return target, isLink, err
}

func (place *Place) enter(path string) error {
	handle, err := at.Open(-1, path, at.Path|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	syscall.Close(place.Directory)
	place.Directory = handle
	return nil
}

// cutComponent splits off the first component; more tells that something, if only a slash, comes after it.
func cutComponent(path string) (name, rest string, more bool) {
	name, rest, more = strings.Cut(path, "/")
	return name, strings.TrimLeft(rest, "/"), more
}

func refuseProc(fd int, name string) error {
	onProc, err := at.IsOnProc(fd)
	if err == nil && onProc {
		return Refuse(NotRegular, "use", []byte(name), "it is on procfs, which only commands reach")
	}
	return err
}
