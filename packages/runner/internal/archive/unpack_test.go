package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nanoclaw/runner/internal/files"
)

// entry is a header with its content.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, content}
}

func directory(name string) entry {
	return entry{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, ""}
}

func symlink(name, target string) entry {
	return entry{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for i := range entries {
		if err := writer.WriteHeader(&entries[i].Header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(entries[i].content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func TestUnpackRefuses(t *testing.T) {
	hardlink := entry{tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "plain"}, ""}
	device := entry{tar.Header{Typeflag: tar.TypeChar, Name: "device", Devmajor: 1, Devminor: 3}, ""}
	sparse := entry{tar.Header{Typeflag: tar.TypeGNUSparse, Name: "sparse", Format: tar.FormatGNU}, ""}
	fifo := entry{tar.Header{Typeflag: tar.TypeFifo, Name: "fifo"}, ""}
	for _, want := range []struct {
		entries []entry
		code    string
		naming  string
	}{
		{[]entry{file("/absolute", "x")}, files.Invalid, "/absolute"},
		{[]entry{file("../up", "x")}, files.Invalid, "../up"},
		{[]entry{file("a/../../up", "x")}, files.Invalid, "a/../../up"},
		{[]entry{directory("a/..")}, files.Invalid, "a/.."},
		{[]entry{file(".", "")}, files.Invalid, "."},
		{[]entry{hardlink}, files.NotRegular, "hard"},
		{[]entry{device}, files.NotRegular, "device"},
		{[]entry{fifo}, files.NotRegular, "fifo"},
		{[]entry{sparse}, files.NotRegular, "sparse"},
		{[]entry{symlink("link", "/OUTSIDE"), file("link/planted", "x")}, files.NotDirectory, "link/planted"},
		{[]entry{symlink("link", "."), symlink("link2", "link/.."), file("link2/planted", "x")}, files.NotDirectory, "link2/planted"},
		{[]entry{symlink("link", "/OUTSIDE"), directory("link")}, files.NotDirectory, "link"},
		{[]entry{directory("dir"), file("dir", "x")}, files.IsDirectory, "dir"},
		{[]entry{file("file", "x"), file("file/below", "x")}, files.NotDirectory, "file/below"},
		{[]entry{file(strings.Repeat("n", 256), "x")}, files.TooLong, "nnn"},
	} {
		outside, root := t.TempDir(), t.TempDir()+"/root"
		for i := range want.entries {
			want.entries[i].Linkname = strings.ReplaceAll(want.entries[i].Linkname, "/OUTSIDE", outside)
		}
		_, err := Unpack([]byte(root), bytes.NewReader(pack(t, want.entries...)))
		assertCode(t, err, want.code, want.naming)
		assertEmpty(t, outside)
		if entries, _ := os.ReadDir(filepath.Dir(root)); len(entries) > 1 {
			t.Fatal("something beside the root")
		}
	}
}

func assertEmpty(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	must(t, err)
	if len(entries) > 0 {
		t.Fatalf("%s has %v", path, entries)
	}
}

func TestUnpackReplacesButFollowsNothing(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(outside+"/file", []byte("kept"), 0o600))
	must(t, os.Symlink(outside+"/file", root+"/link"))
	must(t, os.WriteFile(root+"/file", []byte("old"), 0o600))
	must(t, os.Link(root+"/file", outside+"/hard"))
	must(t, syscall.Mkfifo(root+"/fifo", 0o600))
	result, err := Unpack([]byte(root), bytes.NewReader(pack(t,
		file("link", "new"), file("file", "new"), file("fifo", "new"), file("a/b/c", "deep"), directory("./"), symlink("file2", "x"), symlink("file2", "y"))))
	must(t, err)
	if result.Count != 6 {
		t.Fatal(result)
	}
	for path, content := range map[string]string{
		outside + "/file": "kept", outside + "/hard": "old", root + "/link": "new", root + "/file": "new", root + "/fifo": "new", root + "/a/b/c": "deep",
	} {
		found, err := os.ReadFile(path)
		must(t, err)
		if string(found) != content {
			t.Fatal(path, string(found))
		}
	}
}

func TestUnpackModes(t *testing.T) {
	root := t.TempDir()
	special := entry{tar.Header{Typeflag: tar.TypeReg, Name: "special", Mode: 0o7755}, ""}
	shut := entry{tar.Header{Typeflag: tar.TypeDir, Name: "shut", Mode: 0o7055}, ""}
	inner := entry{tar.Header{Typeflag: tar.TypeDir, Name: "shut/inner", Mode: 0}, ""}
	_, err := Unpack([]byte(root), bytes.NewReader(pack(t, special, inner, shut, file("shut/inner/file", "x"))))
	must(t, err)
	for path, mode := range map[string]os.FileMode{"special": 0o755, "shut": os.ModeDir | 0o055} {
		info, err := os.Lstat(root + "/" + path)
		must(t, err)
		if info.Mode() != mode {
			t.Fatal(path, info.Mode())
		}
	}
	must(t, os.Chmod(root+"/shut", 0o700))
	info, err := os.Lstat(root + "/shut/inner")
	must(t, err)
	if info.Mode() != os.ModeDir {
		t.Fatal(info.Mode())
	}
	must(t, os.Chmod(root+"/shut/inner", 0o700))
}

func TestUnpackHashesTheWholeStream(t *testing.T) {
	stream := append(pack(t, file("a", "x")), make([]byte, 10_240)...)
	stream = append(stream, "and more"...)
	result, err := Unpack([]byte(t.TempDir()), bytes.NewReader(stream))
	must(t, err)
	sum := sha256.Sum256(stream)
	if result != (Result{int64(len(stream)), hex.EncodeToString(sum[:]), 1}) {
		t.Fatal(result)
	}
}

func TestUnpackOfStreamsThatEndBadly(t *testing.T) {
	stream := pack(t, file("a", strings.Repeat("x", 2_000)))
	_, err := Unpack([]byte(t.TempDir()), bytes.NewReader(stream[:1_500]))
	assertCode(t, err, files.Invalid, "")
	_, err = Unpack([]byte(t.TempDir()), strings.NewReader(strings.Repeat("no tar ", 200)))
	assertCode(t, err, files.Invalid, "")
	_, err = Unpack([]byte(t.TempDir()), io.MultiReader(bytes.NewReader(stream[:1_500]), failing{}))
	if err != errFull {
		t.Fatal(err)
	}
	result, err := Unpack([]byte(t.TempDir()), strings.NewReader(""))
	must(t, err)
	if result.Count != 0 || result.Size != 0 {
		t.Fatal(result)
	}
	must(t, os.WriteFile(t.TempDir()+"/x", nil, 0o600))
	path := t.TempDir() + "/file"
	must(t, os.WriteFile(path, nil, 0o600))
	_, err = Unpack([]byte(path), bytes.NewReader(stream))
	assertCode(t, err, files.Exists, "file")
	_, err = Unpack([]byte("/proc/self/fd"), bytes.NewReader(stream))
	assertCode(t, err, files.NotRegular, "procfs")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFull }

func TestUnpackWithoutSpace(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("not run: cannot mount a tmpfs: ", err)
	}
	defer syscall.Unmount(root, syscall.MNT_DETACH)
	_, err := Unpack([]byte(root), bytes.NewReader(pack(t, file("a", strings.Repeat("x", 100_000)))))
	assertCode(t, err, files.NoSpace, "a")
}

// A payload swaps a directory for a symlink while it is extracted into.
func TestUnpackWhileDirectoriesAreSwapped(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	stop, stopped := make(chan struct{}), make(chan struct{})
	must(t, os.Symlink(outside, root+"/other"))
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				os.Rename(root+"/dir", root+"/third")
				os.Rename(root+"/other", root+"/dir")
				os.Rename(root+"/dir", root+"/other")
				os.Rename(root+"/third", root+"/dir")
			}
		}
	}()
	stream := pack(t, directory("dir"), file("dir/a", "x"), file("dir/sub/b", "x"), symlink("dir/c", "/"), file("dir/c", "x"))
	for i := 0; i < 1_000; i++ {
		Unpack([]byte(root), bytes.NewReader(stream))
	}
	close(stop)
	<-stopped
	assertEmpty(t, outside)
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, file("a", "x"), directory("d"), symlink("d/l", "/OUTSIDE"), file("d/l", "y")))
	f.Add(pack(f, symlink("l", ".."), file("l/x", "y")))
	f.Add(pack(f, file("../up", "y"), file("not\xffutf8", "z")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		parent := t.TempDir()
		root := parent + "/root"
		before := countOpen(t)
		result, err := Unpack([]byte(root), io.LimitReader(bytes.NewReader(stream), 1<<20))
		if err == nil && result.Size != int64(len(stream)) {
			t.Fatal(result, len(stream))
		}
		if after := countOpen(t); after != before {
			t.Fatal("leak", before, after)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Fatal("something beside the root", entries)
		}
		must(t, files.Remove([]byte(root), true))
	})
}
