package files

import (
	"io"
	"os"
	"strconv"
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

const (
	// Directories below this depth are first moved up, so that a deep tree takes no more open files than this.
	maxRemoveDepth = 32
	// How often a directory that keeps getting new files is emptied again.
	maxRemoveRounds = 32
	// How often a directory is moved up; a payload that keeps nesting new ones would have us do it for ever.
	maxRemoveMoves = 1 << 16
)

// Remove removes a file, a symlink (never what it leads to) or an empty directory; recursive removes a directory with all that is in it,
// whatever its modes, and doesn't mind a path that is missing.
func Remove(path []byte, recursive bool) error {
	place, err := find(withoutSlash(path), lookup{})
	if err == nil {
		defer place.Close()
		if place.Name == "." || place.Name == ".." {
			return Refuse(Invalid, "remove", path, "it is the root directory, or ends in a dot")
		}
		err = removeAt(place, recursive)
	}
	if err == nil || (err == syscall.ENOENT && recursive) {
		return nil
	}
	return Fail("remove", path, err)
}

func removeAt(place *Place, recursive bool) error {
	err := removeName(place.Directory, place.Name)
	if err != syscall.ENOTEMPTY || !recursive {
		return err
	}
	remover := &remover{}
	defer remover.close()
	if err := remover.push(place.Directory, place.Name); err != nil {
		return err
	}
	return remover.run()
}

// removeName removes whatever the name is, but no directory that has something in it.
func removeName(directory int, name string) error {
	for try := 0; ; try++ {
		err := at.Unlink(directory, name)
		if err != syscall.EISDIR {
			return err
		}
		// ENOTDIR: it was swapped in between.
		if err = at.RemoveDirectory(directory, name); err != syscall.ENOTDIR || try == maxRemoveRounds {
			return err
		}
	}
}

// level is a directory being emptied.
type level struct {
	parent int
	name   string
	file   *os.File
	rounds int
	// Names read and not yet removed.
	names []string
}

type remover struct {
	levels []*level
	moved  int
}

func (r *remover) close() {
	for _, level := range r.levels {
		level.file.Close()
	}
}

func (r *remover) push(parent int, name string) error {
	fd, err := openDirectory(parent, name)
	if err == syscall.EACCES {
		// Its owner can take himself the permission away, and give it back.
		if err = syscall.Fchmodat(parent, name, 0o700, 0); err == nil {
			fd, err = openDirectory(parent, name)
		}
	}
	if err != nil {
		return err
	}
	var stat syscall.Stat_t
	if syscall.Fstat(fd, &stat) == nil && stat.Mode&0o700 != 0o700 {
		syscall.Fchmod(fd, 0o700)
	}
	r.levels = append(r.levels, &level{parent: parent, name: name, file: os.NewFile(uintptr(fd), "directory")})
	return nil
}

func (r *remover) run() error {
	for len(r.levels) > 0 {
		top := r.levels[len(r.levels)-1]
		if len(top.names) == 0 {
			names, err := top.file.Readdirnames(namesAtOnce)
			if err != nil && err != io.EOF {
				return err
			}
			if len(names) == 0 {
				if err := r.leave(top); err != nil {
					return err
				}
				continue
			}
			top.names = names
		}
		name := top.names[len(top.names)-1]
		top.names = top.names[:len(top.names)-1]
		if err := r.removeFrom(top, name); err != nil {
			return err
		}
	}
	return nil
}

// removeFrom removes one name, or descends into it.
func (r *remover) removeFrom(top *level, name string) error {
	fd := int(top.file.Fd())
	err := removeName(fd, name)
	switch {
	case err == nil || err == syscall.ENOENT:
		return nil
	case err != syscall.ENOTEMPTY:
		return err
	case len(r.levels) < maxRemoveDepth:
		err = r.push(fd, name)
	default:
		err = r.moveUp(fd, name)
	}
	if err == syscall.ENOENT || err == syscall.ENOTDIR || err == syscall.ELOOP {
		return nil // swapped meanwhile; the next round sees what it is now
	}
	return err
}

// moveUp makes a deep directory a child of the first one, whose next round finds it.
func (r *remover) moveUp(fd int, name string) error {
	first := r.levels[0]
	if r.moved++; r.moved > maxRemoveMoves {
		return Refuse(Limit, "remove", []byte(name), "directories are nested too deeply")
	}
	to := temporaryName() + "-" + strconv.Itoa(r.moved)
	err := at.Rename(fd, name, int(first.file.Fd()), to)
	if err == syscall.EACCES {
		// Moving a directory changes its `..`, which needs write permission.
		if err = syscall.Fchmodat(fd, name, 0o700, 0); err == nil {
			err = at.Rename(fd, name, int(first.file.Fd()), to)
		}
	}
	if err == nil && first.rounds > 0 {
		first.rounds--
	}
	return err
}

// leave removes a directory that was read to its end, or starts it over if it isn't empty.
func (r *remover) leave(top *level) error {
	err := at.RemoveDirectory(top.parent, top.name)
	if err == syscall.ENOTEMPTY && top.rounds < maxRemoveRounds {
		top.rounds++
		_, err = top.file.Seek(0, io.SeekStart)
		return err
	}
	if err != nil && err != syscall.ENOENT && err != syscall.ENOTDIR {
		return err
	}
	top.file.Close()
	r.levels = r.levels[:len(r.levels)-1]
	return nil
}
