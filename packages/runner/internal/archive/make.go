package archive

import (
	"archive/tar"
	"errors"
	"io"
	"sort"
	"syscall"

	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/files/at"
)

// maxReplaceTries is for a payload that creates the name again as fast as we remove it.
const maxReplaceTries = 16

// enter opens a directory below the root, one component at a time and through no symlink; what is missing is made.
func (u *unpacker) enter(components []string) (int, error) {
	directory, err := syscall.Dup(u.root)
	if err != nil {
		return -1, err
	}
	syscall.CloseOnExec(directory)
	for _, component := range components {
		next, err := files.OpenDirectory(directory, component)
		if err == syscall.ENOENT {
			if err = at.MakeDirectory(directory, component, 0o755); err == nil || err == syscall.EEXIST {
				next, err = files.OpenDirectory(directory, component)
			}
		}
		syscall.Close(directory)
		if err != nil {
			return -1, err
		}
		directory = next
	}
	return directory, nil
}

func (u *unpacker) makeDirectory(parent int, components []string, mode uint32) error {
	name := components[len(components)-1]
	if err := at.MakeDirectory(parent, name, 0o700); err != nil && err != syscall.EEXIST {
		return err
	}
	fd, err := files.OpenDirectory(parent, name)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if mode&0o700 != 0o700 {
		u.closed = append(u.closed, closedDirectory{components, mode})
		mode |= 0o700
	}
	return syscall.Fchmod(fd, mode)
}

// closeDirectories sets the modes that had to wait, the deepest first.
func (u *unpacker) closeDirectories() error {
	sort.SliceStable(u.closed, func(i, j int) bool { return len(u.closed[i].name) > len(u.closed[j].name) })
	for _, directory := range u.closed {
		fd, err := u.enter(directory.name)
		if err != nil {
			return err
		}
		err = syscall.Fchmod(fd, directory.mode)
		syscall.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) makeFile(parent int, name string, mode uint32, header *tar.Header) error {
	fd := -1
	err := replace(parent, name, func() (err error) {
		fd, err = at.Open(parent, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := u.fill(fd); err != nil {
		return err
	}
	if err := syscall.Fchmod(fd, mode); err != nil {
		return err
	}
	return at.SetModified(fd, header.ModTime.Unix())
}

func (u *unpacker) fill(fd int) error {
	for {
		n, err := u.tar.Read(u.copied[:])
		if failed := files.WriteAll(fd, u.copied[:n]); failed != nil {
			return failed
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &files.Error{Code: files.Invalid, Message: "the archive is damaged: " + err.Error()}
		}
	}
}

// replace creates a name anew, after removing what has it; a directory is not removed.
func replace(parent int, name string, create func() error) error {
	err := create()
	for try := 0; errors.Is(err, syscall.EEXIST) && try < maxReplaceTries; try++ {
		if err := at.Unlink(parent, name); err != nil && err != syscall.ENOENT {
			return err
		}
		err = create()
	}
	return err
}
