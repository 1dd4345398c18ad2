package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"nanoclaw/runner/internal/files"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func assertCode(t *testing.T, err error, code, naming string) {
	t.Helper()
	var made *files.Error
	if !errors.As(err, &made) || made.Code != code || !strings.Contains(made.Message, naming) {
		t.Fatalf("expected %s naming %q, got %v", code, naming, err)
	}
}

// describe tells all that an archive must keep of a tree.
func describe(t *testing.T, root string) string {
	t.Helper()
	var lines []string
	var walk func(string)
	walk = func(relative string) {
		entries, err := os.ReadDir(root + "/" + relative)
		must(t, err)
		for _, entry := range entries {
			name := relative + entry.Name()
			info, err := os.Lstat(root + "/" + name)
			must(t, err)
			line := fmt.Sprintf("%q %v", name, info.Mode())
			switch {
			case info.IsDir():
				walk(name + "/")
			case info.Mode()&os.ModeSymlink != 0:
				target, err := os.Readlink(root + "/" + name)
				must(t, err)
				line += fmt.Sprintf(" to %q", target)
			default:
				content, err := os.ReadFile(root + "/" + name)
				must(t, err)
				line += fmt.Sprintf(" %x %d", sha256.Sum256(content), info.ModTime().Unix())
			}
			lines = append(lines, line)
		}
	}
	walk("")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func oddTree(t *testing.T) string {
	root := t.TempDir()
	names := []string{
		"plain", "new\nline", "not\xff\xfeutf8", "…", strings.Repeat("n", 255), strings.Repeat("\xfe", 255), "-rf", "a=b",
		strings.Repeat("d", 120) + "/" + strings.Repeat("e", 120) + "/" + strings.Repeat("f", 120) + "/file",
		"bad\xff/" + strings.Repeat("ü", 100) + "/file",
	}
	for i, name := range names {
		path := root + "/" + name
		must(t, os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755))
		must(t, os.WriteFile(path, bytes.Repeat([]byte{byte(i)}, i*i*1_000), 0o600))
		must(t, os.Chmod(path, os.FileMode(0o400+i)))
		must(t, os.Chtimes(path, time.Now(), time.Unix(int64(1_700_000_000+i), 5_000)))
	}
	must(t, os.Mkdir(root+"/empty", 0o700))
	must(t, os.Mkdir(root+"/shut", 0o755))
	must(t, os.WriteFile(root+"/shut/file", nil, 0o644))
	must(t, os.Chmod(root+"/shut", 0o555))
	must(t, os.Symlink("/etc/passwd", root+"/absolute"))
	must(t, os.Symlink("loop", root+"/loop"))
	must(t, os.Symlink(strings.Repeat("../", 200)+"\xff", root+"/long"))
	return root
}

func TestPackThenUnpack(t *testing.T) {
	source, target := oddTree(t), t.TempDir()+"/made/here"
	var packed bytes.Buffer
	result, err := Pack([]byte(source), &packed)
	must(t, err)
	sum := sha256.Sum256(packed.Bytes())
	if result.Size != int64(packed.Len()) || result.SHA256 != hex.EncodeToString(sum[:]) {
		t.Fatal(result)
	}
	t.Cleanup(func() {
		os.Chmod(source+"/shut", 0o700)
		os.Chmod(target+"/shut", 0o700)
	})
	before := countOpen(t)
	again, err := Unpack([]byte(target), bytes.NewReader(packed.Bytes()))
	must(t, err)
	if again != result {
		t.Fatal(again, result)
	}
	if expected, found := describe(t, source), describe(t, target); expected != found {
		t.Fatalf("expected\n%s\ngot\n%s", expected, found)
	}
	if after := countOpen(t); after != before {
		t.Fatal(before, after)
	}
	// Once more over what is there.
	must(t, os.Chmod(target+"/shut", 0o755))
	_, err = Unpack([]byte(target), bytes.NewReader(packed.Bytes()))
	must(t, err)
}

func TestPackOneFile(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(root+"/file", []byte("content"), 0o4755))
	must(t, os.Symlink("file", root+"/link"))
	for _, name := range []string{"file", "link"} {
		var packed bytes.Buffer
		result, err := Pack([]byte(root+"/"+name), &packed)
		must(t, err)
		reader := tar.NewReader(&packed)
		header, err := reader.Next()
		must(t, err)
		content, err := io.ReadAll(reader)
		must(t, err)
		if header.Name != "file" || string(content) != "content" || result.Count != 1 || header.Uid != 0 || header.Uname != "" {
			t.Fatal(header, result)
		}
	}
}

func TestPackRefusesWhatIsNoFile(t *testing.T) {
	for _, kind := range []uint32{syscall.S_IFIFO, syscall.S_IFSOCK} {
		root := t.TempDir()
		must(t, os.Mkdir(root+"/dir", 0o755))
		must(t, syscall.Mknod(root+"/dir/od\nd", kind|0o600, 0))
		_, err := Pack([]byte(root), io.Discard)
		assertCode(t, err, files.NotRegular, `dir/od\nd`)
		_, err = Pack([]byte(root+"/dir/od\nd"), io.Discard)
		assertCode(t, err, files.NotRegular, `od\nd`)
	}
	_, err := Pack([]byte("/dev/null"), io.Discard)
	assertCode(t, err, files.NotRegular, "null")
	_, err = Pack([]byte("/nowhere"), io.Discard)
	assertCode(t, err, files.NotFound, "nowhere")
	root := t.TempDir()
	must(t, os.Symlink("/proc/self/fd", root+"/link"))
	_, err = Pack([]byte(root+"/link"), io.Discard)
	assertCode(t, err, files.NotRegular, "procfs")
	var packed bytes.Buffer
	_, err = Pack([]byte(root), &packed)
	must(t, err) // the link itself
}

var errFull = errors.New("full")

type limited struct{ left int }

func (l *limited) Write(bytes []byte) (int, error) {
	if l.left -= len(bytes); l.left < 0 {
		return 0, errFull
	}
	return len(bytes), nil
}

func TestPackSparseUntilTheReaderHasEnough(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(root+"/sparse", nil, 0o600))
	must(t, os.Truncate(root+"/sparse", 1<<40))
	before := countOpen(t)
	if _, err := Pack([]byte(root), &limited{8 << 20}); err != errFull {
		t.Fatal(err)
	}
	if after := countOpen(t); after != before {
		t.Fatal(before, after)
	}
}

// during runs something when so many bytes have passed.
type during struct {
	after int
	run   func()
}

func (d *during) Write(bytes []byte) (int, error) {
	if d.after -= len(bytes); d.after <= 0 && d.run != nil {
		d.run()
		d.run = nil
	}
	return len(bytes), nil
}

func TestPackOfAFileThatChanges(t *testing.T) {
	root := t.TempDir()
	path := root + "/file"
	must(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	_, err := Pack([]byte(root), &during{100_000, func() { must(t, os.Truncate(path, 200_000)) }})
	assertCode(t, err, files.IO, "shorter")
	must(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	result, err := Pack([]byte(root), &during{100_000, func() { must(t, os.Truncate(path, 1<<21)) }})
	must(t, err)
	if result.Size > 1<<20+16_384 {
		t.Fatal(result)
	}
}

func TestPackDeepAndMany(t *testing.T) {
	root := t.TempDir()
	for i := 0; i < 20_000; i++ {
		must(t, os.WriteFile(fmt.Sprintf("%s/%d", root, i), nil, 0o600))
	}
	result, err := Pack([]byte(root), io.Discard)
	must(t, err)
	if result.Count != 20_000 {
		t.Fatal(result)
	}
	deep := t.TempDir()
	must(t, os.MkdirAll(deep+"/"+strings.Repeat("d/", maxDepth-1), 0o755))
	_, err = Pack([]byte(deep), io.Discard)
	must(t, err)
	must(t, os.MkdirAll(deep+"/"+strings.Repeat("d/", maxDepth+1), 0o755))
	_, err = Pack([]byte(deep), io.Discard)
	assertCode(t, err, files.TooLong, "d/d/d")
}

// A directory on the way is swapped for a symlink all the time; nothing from outside may be packed.
func TestPackWhileDirectoriesAreSwapped(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(outside+"/secret", []byte("SECRET"), 0o600))
	must(t, os.Mkdir(root+"/dir", 0o755))
	must(t, os.WriteFile(root+"/dir/secret", []byte("public"), 0o600))
	must(t, os.Symlink(outside, root+"/other"))
	stop, stopped := make(chan struct{}), make(chan struct{})
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
	for i := 0; i < 500; i++ {
		var packed bytes.Buffer
		var made *files.Error
		if _, err := Pack([]byte(root), &packed); err != nil && !errors.As(err, &made) {
			t.Fatal(err)
		}
		if bytes.Contains(packed.Bytes(), []byte("SECRET")) {
			t.Fatal("packed what lies outside")
		}
	}
	close(stop)
	<-stopped
}

func countOpen(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
