package files

import (
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

// OpenRegular opens a regular file for reading, and nothing else: not a symlink, a fifo (which would block), a device
// (which opening may trigger), or a file on procfs.
func OpenRegular(directory int, name string) (int, syscall.Stat_t, error) {
	return openRegular(directory, name, syscall.O_RDONLY)
}

func openRegular(directory int, name string, flags int) (int, syscall.Stat_t, error) {
	stat, err := at.Stat(directory, name)
	if err != nil {
		return -1, stat, err
	}
	if err := assertRegular(name, stat.Mode); err != nil {
		return -1, stat, err
	}
	fd, err := at.Open(directory, name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return -1, stat, err
	}
	// It may be another file by now.
	if err = syscall.Fstat(fd, &stat); err == nil {
		err = assertRegular(name, stat.Mode)
	}
	if err == nil {
		err = refuseProc(fd, name)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, stat, err
	}
	return fd, stat, nil
}

// OpenDirectory opens a directory for reading its entries and for looking up names in it; never one on procfs.
func OpenDirectory(directory int, name string) (int, error) {
	fd, err := openDirectory(directory, name)
	if err != nil {
		return -1, err
	}
	if err := refuseProc(fd, name); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openDirectory goes by way of a handle, since gVisor follows a symlink that is opened with O_DIRECTORY|O_NOFOLLOW (found
// in release 20221219).
func openDirectory(directory int, name string) (int, error) {
	handle, err := at.Open(directory, name, at.Path|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	defer syscall.Close(handle)
	var stat syscall.Stat_t
	if err := syscall.Fstat(handle, &stat); err != nil {
		return -1, err
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return -1, syscall.ENOTDIR
	}
	return at.Open(handle, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
}

func assertRegular(name string, mode uint32) error {
	switch kind := mode & syscall.S_IFMT; kind {
	case syscall.S_IFREG:
		return nil
	case syscall.S_IFDIR:
		return Refuse(IsDirectory, "use", []byte(name), "it is a directory")
	default:
		return Refuse(NotRegular, "use", []byte(name), "it is a "+types[kind]+", not a regular file")
	}
}
