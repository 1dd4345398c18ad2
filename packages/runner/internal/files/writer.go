package files

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"syscall"

	"nanoclaw/runner/internal/files/at"
)

// Writer writes a regular file, whole or not at all: into a temporary file beside it, which Commit renames. Only where that
// can't be, for a file that is a mount of its own, the file is written in place.
type Writer struct {
	path      []byte
	place     *Place
	mode      uint32
	temporary string // empty when writing in place
	fd        int
	hash      hash.Hash
	size      int64
	over      error
}

// NewWriter opens the way to a file; a symlink in the last place is followed, so its target is replaced. The mode is
// set exactly, whatever the umask.
func NewWriter(path []byte, mode uint32, createParents bool) (*Writer, error) {
	place, err := find(path, lookup{followLast: true, createParents: createParents})
	if err != nil {
		return nil, Fail("write", path, err)
	}
	writer := &Writer{path: append([]byte(nil), path...), place: place, mode: mode & 0o7777, hash: sha256.New(), fd: -1}
	if err := writer.open(); err != nil {
		writer.release()
		return nil, Fail("write", path, err)
	}
	return writer, nil
}

func (w *Writer) open() error {
	stat, missing := at.Stat(w.place.Directory, w.place.Name)
	if missing == nil {
		if err := assertRegular(w.place.Name, stat.Mode); err != nil {
			return err
		}
	} else if missing != syscall.ENOENT {
		return missing
	}
	name := temporaryName()
	fd, err := at.Open(w.place.Directory, name, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err == nil {
		w.fd, w.temporary = fd, name
		return syscall.Fchmod(fd, w.mode)
	}
	if missing == nil && (err == syscall.EACCES || err == syscall.EROFS) {
		// The directory takes no new file, but the file may take new content.
		if w.fd, _, err = openRegular(w.place.Directory, w.place.Name, syscall.O_WRONLY|syscall.O_TRUNC); err != nil {
			w.fd = -1
		}
	}
	return err
}

// Write adds bytes. After an error nothing is left but to return; the temporary file is gone by then.
func (w *Writer) Write(bytes []byte) (int, error) {
	if w.over != nil {
		return 0, w.over
	}
	if err := WriteAll(w.fd, bytes); err != nil {
		w.end(Fail("write", w.path, err))
		return 0, w.over
	}
	w.hash.Write(bytes)
	w.size += int64(len(bytes))
	return len(bytes), nil
}

// Commit puts the file in its place.
func (w *Writer) Commit() (size int64, sha256 string, err error) {
	if w.over != nil {
		return 0, "", w.over
	}
	if w.temporary != "" {
		err = at.Rename(w.place.Directory, w.temporary, w.place.Directory, w.place.Name)
		switch err {
		case nil:
			w.temporary = ""
		case syscall.EBUSY:
			err = w.copyInPlace()
		}
		if err != nil {
			w.end(Fail("write", w.path, err))
			return 0, "", w.over
		}
	}
	w.end(Refuse(Invalid, "write", w.path, "it was committed already"))
	return w.size, hex.EncodeToString(w.hash.Sum(nil)), nil
}

// Abort gives up; harmless after Commit.
func (w *Writer) Abort() {
	if w.over == nil {
		w.end(Refuse(Invalid, "write", w.path, "it was given up"))
	}
}

func (w *Writer) end(why error) {
	w.over = why
	w.release()
}

func (w *Writer) release() {
	if w.temporary != "" {
		at.Unlink(w.place.Directory, w.temporary)
	}
	if w.fd >= 0 {
		syscall.Close(w.fd)
	}
	w.place.Close()
}

// copyInPlace is for a target that is a mount point: the name can't be replaced, the content can.
func (w *Writer) copyInPlace() error {
	target, _, err := openRegular(w.place.Directory, w.place.Name, syscall.O_WRONLY|syscall.O_TRUNC)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if _, err := syscall.Seek(w.fd, 0, 0); err != nil {
		return err
	}
	buffer := make([]byte, chunkBytes)
	for {
		n, err := ReadSome(w.fd, buffer)
		if err != nil || n == 0 {
			return err
		}
		if err := WriteAll(target, buffer[:n]); err != nil {
			return err
		}
	}
}

// WriteAll writes all of it.
func WriteAll(fd int, bytes []byte) error {
	for len(bytes) > 0 {
		n, err := syscall.Write(fd, bytes)
		if err != nil && err != syscall.EINTR {
			return err
		}
		if n > 0 {
			bytes = bytes[n:]
		}
	}
	return nil
}

func temporaryName() string {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic(err)
	}
	return ".nanoclaw-" + hex.EncodeToString(random[:])
}
