package archive

import (
	"archive/tar"
	"bufio"
	"io"
	"os"
	"syscall"

	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/files/at"
)

const (
	// maxDepth bounds the directories that are open at a time.
	maxDepth    = 128
	namesAtOnce = 256
	writeBytes  = 32 * 1024
)

// Pack writes the content of a directory, or a single file, as tar. Symlinks below the path are packed as what they are.
// Anything but regular files, directories and symlinks ends it with `not-regular`. A file that grows meanwhile is packed at the
// size it had, one that shrinks ends it with `io`, one that vanishes is left out. An error of w is returned as it is.
func Pack(path []byte, w io.Writer) (Result, error) {
	meter := newMeter(nil, w)
	buffer := bufio.NewWriterSize(meter, writeBytes)
	packer := &packer{tar: tar.NewWriter(buffer)}
	defer packer.close()
	err := packer.pack(path)
	if err == nil {
		err = packer.tar.Close()
	}
	if err == nil {
		err = buffer.Flush()
	}
	if meter.err != nil {
		return Result{}, meter.err
	}
	if err != nil {
		return Result{}, files.Fail("pack", path, err)
	}
	return meter.result(packer.count), nil
}

// level is a directory being read.
type level struct {
	// prefix is its name in the archive, with a slash at the end; empty at the top.
	prefix string
	file   *os.File
	names  []string
}

type packer struct {
	tar    *tar.Writer
	levels []*level
	count  int
	copied [64 * 1024]byte
}

func (p *packer) close() {
	for _, level := range p.levels {
		level.file.Close()
	}
}

func (p *packer) pack(path []byte) error {
	place, err := files.FindTarget(path)
	if err != nil {
		return err
	}
	defer place.Close()
	stat, err := at.Stat(place.Directory, place.Name)
	if err != nil {
		return err
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return p.add(place.Directory, place.Name, place.Name)
	}
	if err := p.push(place.Directory, place.Name, ""); err != nil {
		return err
	}
	return p.run()
}

func (p *packer) push(directory int, name, prefix string) error {
	if len(p.levels) == maxDepth {
		return files.Refuse(files.TooLong, "pack", []byte(prefix), "directories are nested too deeply")
	}
	fd, err := files.OpenDirectory(directory, name)
	if err != nil {
		return err
	}
	p.levels = append(p.levels, &level{prefix: prefix, file: os.NewFile(uintptr(fd), "directory")})
	return nil
}

func (p *packer) run() error {
	for len(p.levels) > 0 {
		top := p.levels[len(p.levels)-1]
		if len(top.names) == 0 {
			names, err := top.file.Readdirnames(namesAtOnce)
			if err == io.EOF {
				top.file.Close()
				p.levels = p.levels[:len(p.levels)-1]
				continue
			}
			if err != nil {
				return err
			}
			top.names = names
		}
		name := top.names[0]
		top.names = top.names[1:]
		err := p.add(int(top.file.Fd()), name, top.prefix+name)
		if err == syscall.ENOENT {
			continue // removed meanwhile
		}
		if err != nil {
			return files.Fail("pack", []byte(top.prefix+name), err)
		}
	}
	return nil
}

// add packs one name; of a directory the entry, its content comes later.
func (p *packer) add(directory int, name, packed string) error {
	stat, err := at.Stat(directory, name)
	if err != nil {
		return err
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return p.addFile(directory, name, packed)
	case syscall.S_IFDIR:
		if err := p.push(directory, name, packed+"/"); err != nil {
			return err
		}
		return p.header(tar.TypeDir, packed+"/", "", 0, stat)
	case syscall.S_IFLNK:
		target, err := at.Readlink(directory, name)
		if err != nil {
			return err
		}
		return p.header(tar.TypeSymlink, packed, target, 0, stat)
	}
	return files.Refuse(files.NotRegular, "pack", []byte(packed), "only regular files, directories and symlinks are packed")
}

func (p *packer) addFile(directory int, name, packed string) error {
	fd, stat, err := files.OpenRegular(directory, name)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := p.header(tar.TypeReg, packed, "", stat.Size, stat); err != nil {
		return err
	}
	for left := stat.Size; left > 0; {
		chunk := p.copied[:]
		if left < int64(len(chunk)) {
			chunk = chunk[:left]
		}
		n, err := files.ReadSome(fd, chunk)
		if err != nil {
			return err
		}
		if n == 0 {
			return files.Refuse(files.IO, "pack", []byte(packed), "it became shorter while it was read")
		}
		if _, err := p.tar.Write(chunk[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}
