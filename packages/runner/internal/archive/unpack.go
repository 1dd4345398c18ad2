package archive

import (
	"archive/tar"
	"io"
	"strings"
	"syscall"

	"nanoclaw/runner/internal/files"
	"nanoclaw/runner/internal/files/at"
)

// Unpack extracts a tar stream below the path, which is created. Regular files, directories and symlinks only; names
// that are absolute or contain `..` are refused, and no symlink is followed below the path, whoever made it. What is
// there already is replaced, but a directory only by a directory. Modes are masked to 0777. What was extracted before an error stays.
// An error of r is returned as it is.
func Unpack(path []byte, r io.Reader) (Result, error) {
	root, err := files.MakeAll(path)
	if err != nil {
		return Result{}, files.Fail("unpack into", path, err)
	}
	defer syscall.Close(root)
	meter := newMeter(r, nil)
	unpacker := &unpacker{root: root, tar: tar.NewReader(meter)}
	err = unpacker.run()
	if err == nil {
		// What comes after the archive's end counts, though it means nothing.
		_, err = io.Copy(io.Discard, meter)
	}
	if meter.err != nil {
		return Result{}, meter.err
	}
	if err != nil {
		return Result{}, files.Fail("unpack into", path, err)
	}
	return meter.result(unpacker.count), nil
}

type unpacker struct {
	root  int
	tar   *tar.Reader
	count int
	// Modes that would keep us from filling the directory, set at the end.
	closed []closedDirectory
	copied [64 * 1024]byte
}

type closedDirectory struct {
	name []string
	mode uint32
}

func (u *unpacker) run() error {
	for {
		header, err := u.tar.Next()
		if err == io.EOF {
			return u.closeDirectories()
		}
		if err != nil {
			return files.Refuse(files.Invalid, "unpack", []byte("the stream"), err.Error())
		}
		if err := u.extract(header); err != nil {
			return files.Fail("unpack", []byte(header.Name), err)
		}
	}
}

func (u *unpacker) extract(header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	components, err := split(header.Name)
	if err != nil {
		return err
	}
	mode := uint32(header.Mode) & 0o777
	isDirectory := header.Typeflag == tar.TypeDir
	if !isTaken(header) {
		return files.Refuse(files.NotRegular, "unpack", []byte(header.Name), "only regular files, directories and symlinks are unpacked")
	}
	if len(components) == 0 {
		if isDirectory {
			return nil // the root itself stays as it is
		}
		return files.Refuse(files.Invalid, "unpack", []byte(header.Name), "it names nothing")
	}
	last := len(components) - 1
	parent, err := u.enter(components[:last])
	if err != nil {
		return err
	}
	defer syscall.Close(parent)
	switch header.Typeflag {
	case tar.TypeDir:
		err = u.makeDirectory(parent, components, mode)
	case tar.TypeSymlink:
		err = replace(parent, components[last], func() error {
			return at.Symlink(header.Linkname, parent, components[last])
		})
	default:
		err = u.makeFile(parent, components[last], mode, header)
	}
	if err == nil {
		u.count++
	}
	return err
}

// isTaken leaves out sparse files too, so that no more is written than was sent.
func isTaken(header *tar.Header) bool {
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return false
		}
	}
	return header.Typeflag == tar.TypeDir || header.Typeflag == tar.TypeReg || header.Typeflag == tar.TypeSymlink
}

// split takes a name of the archive apart.
func split(name string) ([]string, error) {
	if strings.HasPrefix(name, "/") || strings.IndexByte(name, 0) >= 0 {
		return nil, files.Refuse(files.Invalid, "unpack", []byte(name), "names are relative and have no NUL byte")
	}
	var components []string
	for _, component := range strings.Split(name, "/") {
		switch component {
		case "", ".":
		case "..":
			return nil, files.Refuse(files.Invalid, "unpack", []byte(name), "it contains `..`")
		default:
			components = append(components, component)
		}
	}
	return components, nil
}
