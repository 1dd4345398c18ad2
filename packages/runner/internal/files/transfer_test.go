package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(path, content string, mode uint32, parents bool) (int64, string, error) {
	writer, err := NewWriter([]byte(path), mode, parents)
	if err != nil {
		return 0, "", err
	}
	if _, err := writer.Write([]byte(content)); err != nil {
		return 0, "", err
	}
	return writer.Commit()
}

func TestWriteThenRead(t *testing.T) {
	directory := workspace(t)
	content := strings.Repeat("0123456789", 50_000)
	sum := sha256.Sum256([]byte(content))
	for _, name := range oddNames {
		assertNoLeak(t, func() {
			size, hash, err := write(name, content, 0o640, false)
			must(t, err)
			if size != int64(len(content)) || hash != hex.EncodeToString(sum[:]) {
				t.Fatal(size, hash)
			}
			var found bytes.Buffer
			result, err := Read([]byte(name), 0, -1, &found)
			must(t, err)
			if found.String() != content || result != (ReadResult{size, hash, 0o640}) {
				t.Fatal(result)
			}
		})
	}
	assertNoTemporary(t, directory)
}

func TestReadRange(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/file", "0123456789")
	for _, want := range []struct {
		offset, length int64
		content        string
	}{{0, 3, "012"}, {4, -1, "456789"}, {8, 100, "89"}, {10, -1, ""}, {1 << 50, -1, ""}, {3, 0, ""}} {
		var found bytes.Buffer
		result, err := Read([]byte("file"), want.offset, want.length, &found)
		must(t, err)
		if found.String() != want.content || result.Size != int64(len(want.content)) {
			t.Fatal(want, found.String(), result)
		}
	}
	_, err := Read([]byte("file"), -1, -1, &bytes.Buffer{})
	assertCode(t, err, Invalid)
}

func TestOnlyRegularFiles(t *testing.T) {
	directory := workspace(t)
	mkfifo(t, directory+"/fifo")
	socketAt(t, directory+"/socket")
	must(t, os.Mkdir(directory+"/dir", 0o755))
	must(t, os.Symlink("fifo", directory+"/link"))
	for path, code := range map[string]string{
		"fifo": NotRegular, "link": NotRegular, "socket": NotRegular, "/dev/null": NotRegular, "/dev/zero": NotRegular,
		"dir": IsDirectory, "dir/": IsDirectory, "/": IsDirectory, "fifo/x": NotDirectory,
	} {
		started := time.Now()
		_, err := Read([]byte(path), 0, -1, &bytes.Buffer{})
		assertCode(t, err, code)
		_, err = NewWriter([]byte(path), 0o600, false)
		assertCode(t, err, code)
		if time.Since(started) > time.Second {
			t.Fatal("blocked on", path)
		}
	}
}

var errFull = errors.New("full")

type limited struct{ left int }

func (l *limited) Write(bytes []byte) (int, error) {
	if l.left -= len(bytes); l.left < 0 {
		return 0, errFull
	}
	return len(bytes), nil
}

func TestReadSparseUntilTheReaderHasEnough(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/sparse", "")
	must(t, os.Truncate(directory+"/sparse", 1<<40))
	assertNoLeak(t, func() {
		_, err := Read([]byte("sparse"), 0, -1, &limited{1 << 20})
		if err != errFull {
			t.Fatal(err)
		}
	})
}

func TestAbortLeavesNothing(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/file", "before")
	assertNoLeak(t, func() {
		writer, err := NewWriter([]byte("file"), 0o600, false)
		must(t, err)
		_, err = writer.Write([]byte("after"))
		must(t, err)
		writer.Abort()
		writer.Abort()
		_, err = writer.Write([]byte("x"))
		assertCode(t, err, Invalid)
		_, _, err = writer.Commit()
		assertCode(t, err, Invalid)
	})
	assertContent(t, directory+"/file", "before")
	assertNoTemporary(t, directory)
}

func TestTargetThatBecameADirectory(t *testing.T) {
	directory := workspace(t)
	writer, err := NewWriter([]byte("name"), 0o600, false)
	must(t, err)
	must(t, os.Mkdir(directory+"/name", 0o755))
	_, _, err = writer.Commit()
	assertCode(t, err, IsDirectory)
	assertNoTemporary(t, directory)
}

func TestNoSpace(t *testing.T) {
	directory := workspace(t)
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("not run: cannot mount a tmpfs: ", err)
	}
	defer syscall.Unmount(directory, syscall.MNT_DETACH)
	_, _, err := write("file", strings.Repeat("x", 100_000), 0o600, false)
	assertCode(t, err, NoSpace)
	assertNoTemporary(t, directory)
	_, _, err = write("file", "fits", 0o600, false)
	must(t, err)
}

func TestTargetThatIsAMount(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/source", "a longer content than the new one")
	create(t, directory+"/target", "")
	if err := syscall.Mount(directory+"/source", directory+"/target", "", syscall.MS_BIND, ""); err != nil {
		t.Skip("not run: cannot mount: ", err)
	}
	defer syscall.Unmount(directory+"/target", syscall.MNT_DETACH)
	_, _, err := write("target", "new", 0o600, false)
	must(t, err)
	assertContent(t, directory+"/source", "new")
	assertNoTemporary(t, directory)
}

func TestDirectoryThatTakesNoNewFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("not run: root writes everywhere")
	}
	directory := workspace(t)
	create(t, directory+"/file", "a longer content than the new one")
	must(t, os.Chmod(directory, 0o500))
	defer os.Chmod(directory, 0o700)
	_, _, err := write("file", "new", 0o600, false)
	must(t, err)
	assertContent(t, directory+"/file", "new")
	_, _, err = write("other", "new", 0o600, false)
	assertCode(t, err, PermissionDenied)
}

func TestProcFileMountedElsewhere(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/target", "")
	if err := syscall.Mount("/proc/self/comm", directory+"/target", "", syscall.MS_BIND, ""); err != nil {
		t.Skip("not run: cannot mount: ", err)
	}
	defer syscall.Unmount(directory+"/target", syscall.MNT_DETACH)
	_, err := Read([]byte("target"), 0, -1, &bytes.Buffer{})
	assertCode(t, err, NotRegular)
	_, _, err = write("target", "new", 0o600, false)
	assertCode(t, err, NotRegular)
}

func TestWriteThroughSymlinkKeepsIt(t *testing.T) {
	directory := workspace(t)
	must(t, os.Mkdir(directory+"/d", 0o755))
	must(t, os.Symlink("d/file", directory+"/link"))
	for _, content := range []string{"dangling", "there"} {
		_, _, err := write("link", content, 0o604, false)
		must(t, err)
		assertContent(t, directory+"/d/file", content)
	}
	info, err := os.Lstat(directory + "/link")
	must(t, err)
	if info.Mode()&os.ModeSymlink == 0 {
		t.Fatal("the link was replaced")
	}
	info, err = os.Stat(directory + "/d/file")
	must(t, err)
	if info.Mode() != 0o604 {
		t.Fatal(info.Mode())
	}
}

func TestParents(t *testing.T) {
	directory := workspace(t)
	_, _, err := write("a/b/c", "x", 0o600, false)
	assertCode(t, err, NotFound)
	_, _, err = write("a/b/c", "x", 0o600, true)
	must(t, err)
	assertContent(t, directory+"/a/b/c", "x")
	_, _, err = write("a/b/c/d", "x", 0o600, true)
	assertCode(t, err, NotDirectory)
}
