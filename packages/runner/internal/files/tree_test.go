package files

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"nanoclaw/runner/internal/files/at"
)

func decode(t *testing.T, text string) string {
	t.Helper()
	bytes, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return string(bytes)
}

func TestListTellsEverything(t *testing.T) {
	directory := workspace(t)
	for _, name := range oddNames {
		create(t, directory+"/"+name, name)
	}
	mkfifo(t, directory+"/fifo")
	socketAt(t, directory+"/socket")
	must(t, os.Symlink("to\xffwhere", directory+"/link"))
	must(t, os.Mkdir(directory+"/dir", 0o750))
	found := map[string]Entry{}
	assertNoLeak(t, func() {
		count, err := List([]byte("."), func(entry Entry) error {
			found[decode(t, entry.NameBase64)] = entry
			return nil
		})
		must(t, err)
		if count != len(oddNames)+4 || len(found) != count {
			t.Fatal(count, found)
		}
	})
	for _, name := range oddNames {
		if entry := found[name]; entry.Type != "file" || entry.Size != int64(len(name)) || entry.Mode != 0o644 {
			t.Fatal(name, entry)
		}
	}
	if found["fifo"].Type != "fifo" || found["socket"].Type != "socket" || found["dir"].Type != "directory" || found["dir"].Mode != 0o750 {
		t.Fatal(found)
	}
	if link := found["link"]; link.Type != "symlink" || decode(t, link.TargetBase64) != "to\xffwhere" {
		t.Fatal(link)
	}
}

func TestListOfManyAndStop(t *testing.T) {
	directory := workspace(t)
	const many = 20_000
	for i := 0; i < many; i++ {
		create(t, fmt.Sprintf("%s/%d", directory, i), "")
	}
	seen := map[string]bool{}
	count, err := List([]byte(directory), func(entry Entry) error { seen[entry.NameBase64] = true; return nil })
	must(t, err)
	if count != many || len(seen) != many {
		t.Fatal(count, len(seen))
	}
	count, err = List([]byte(directory), func(Entry) error { return errFull })
	if err != errFull || count != 0 {
		t.Fatal(count, err)
	}
	must(t, Remove([]byte(directory), true))
}

func TestNumbersOfThePayload(t *testing.T) {
	directory := workspace(t)
	create(t, directory+"/file", "")
	if os.Truncate(directory+"/file", 1<<62) != nil {
		must(t, os.Truncate(directory+"/file", 1<<40))
	}
	for _, year := range []int{1700, 1969, 2400, 100_000} {
		os.Chtimes(directory+"/file", time.Now(), time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		entry, err := Stat([]byte("file"), false)
		must(t, err)
		if entry.Size > maxInteger || entry.ModifiedMs > maxInteger || entry.ModifiedMs < -maxInteger {
			t.Fatal(entry)
		}
	}
	if ms := milliseconds(syscall.Timespec{Sec: 1<<62 + 1}); ms > maxInteger {
		t.Fatal(ms)
	}
	if ms := milliseconds(syscall.Timespec{Sec: -1 << 62}); ms < -maxInteger {
		t.Fatal(ms)
	}
}

func TestStatNames(t *testing.T) {
	directory := workspace(t)
	must(t, os.Symlink("/", directory+"/link"))
	for path, name := range map[string]string{"/": "/", "/usr/": "usr", "link": "link", directory: directory[strings.LastIndex(directory, "/")+1:]} {
		entry, err := Stat([]byte(path), true)
		must(t, err)
		if decode(t, entry.NameBase64) != name || entry.Type != "directory" {
			t.Fatal(path, entry)
		}
	}
}

func TestMkdir(t *testing.T) {
	directory := workspace(t)
	must(t, Mkdir([]byte("a"), 0o1777, false))
	info, err := os.Stat(directory + "/a")
	must(t, err)
	if info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Fatal(info.Mode())
	}
	assertCode(t, Mkdir([]byte("a"), 0o700, false), Exists)
	must(t, Mkdir([]byte("a/"), 0o700, true))
	must(t, Mkdir([]byte("x/y/z/"), 0o700, true))
	must(t, Mkdir([]byte("/"), 0o700, true))
	assertCode(t, Mkdir([]byte("p/q"), 0o700, false), NotFound)
	create(t, directory+"/file", "")
	assertCode(t, Mkdir([]byte("file"), 0o700, true), Exists)
	assertCode(t, Mkdir([]byte("file/x"), 0o700, true), NotDirectory)
	must(t, os.Symlink("a", directory+"/link"))
	must(t, Mkdir([]byte("link"), 0o700, true))
	assertCode(t, Mkdir([]byte("link"), 0o700, false), Exists)
}

func TestRemove(t *testing.T) {
	directory := workspace(t)
	outside := t.TempDir()
	create(t, outside+"/precious", "kept")
	must(t, os.MkdirAll(directory+"/tree/a/b", 0o755))
	for _, name := range oddNames {
		create(t, directory+"/tree/a/"+name, "")
	}
	mkfifo(t, directory+"/tree/fifo")
	must(t, os.Symlink(outside, directory+"/tree/link"))
	must(t, os.Mkdir(directory+"/tree/shut", 0))
	must(t, os.MkdirAll(directory+"/tree/readonly/x", 0o755))
	must(t, os.Chmod(directory+"/tree/readonly", 0o500))
	must(t, os.Symlink(outside, directory+"/link"))

	assertCode(t, Remove([]byte("tree"), false), Exists)
	assertNoLeak(t, func() { must(t, Remove([]byte("tree/"), true)) })
	if _, err := os.Lstat(directory + "/tree"); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	must(t, Remove([]byte("link/"), true))
	assertContent(t, outside+"/precious", "kept")
	assertCode(t, Remove([]byte("missing"), false), NotFound)
	must(t, Remove([]byte("missing"), true))
	must(t, Remove([]byte("missing/below"), true))
	for _, path := range []string{"/", "//", "/.", "..", ".", "/..", "x/.."} {
		os.Mkdir(directory+"/x", 0o755)
		assertCode(t, Remove([]byte(path), true), Invalid)
	}
}

func TestRemoveDeepTree(t *testing.T) {
	directory := workspace(t)
	fd, err := syscall.Open(directory, syscall.O_DIRECTORY, 0)
	must(t, err)
	for i := 0; i < 5_000; i++ {
		must(t, at.MakeDirectory(fd, "deep", 0o700))
		file, err := at.Open(fd, "file", syscall.O_CREAT|syscall.O_WRONLY, 0o600)
		must(t, err)
		syscall.Close(file)
		next, err := at.Open(fd, "deep", syscall.O_DIRECTORY, 0)
		must(t, err)
		syscall.Close(fd)
		fd = next
	}
	syscall.Close(fd)
	must(t, Remove([]byte("deep"), true))
	assertNoTemporary(t, directory)
}

func TestRemoveWhileItIsFilled(t *testing.T) {
	directory := workspace(t)
	outside := t.TempDir()
	create(t, outside+"/precious", "kept")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			path := fmt.Sprintf("%s/tree/%d", directory, i%50)
			os.MkdirAll(path+"/below", 0o755)
			os.WriteFile(path+"/file", nil, 0o644)
			os.Rename(path, path+"-moved")
			os.Symlink(outside, path)
		}
	}()
	for i := 0; i < 100; i++ {
		if err := Remove([]byte("tree"), true); err != nil {
			assertCode(t, err, Exists)
		}
	}
	close(stop)
	<-stopped
	must(t, Remove([]byte("tree"), true))
	assertContent(t, outside+"/precious", "kept")
}
