package files

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every way into this process that a payload can plant, and the operations that could be led there.
func TestNothingLeadsThroughProc(t *testing.T) {
	directory := workspace(t)
	secret, err := os.CreateTemp(t.TempDir(), "secret")
	must(t, err)
	defer secret.Close()
	fd := strconv.Itoa(int(secret.Fd()))
	targets := []string{
		"/proc/self/fd/" + fd, "/proc/self/mem", "/proc/self/environ", "/proc/thread-self/fd/" + fd, "/dev/fd/" + fd,
		"/proc/self/exe", "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + fd, "/proc/cpuinfo", "/proc/self/root/etc/passwd",
		"../../../../../../../../proc/self/fd/" + fd, "/dev/stdin", "/proc/self/cwd/place_test.go",
	}
	for _, target := range targets {
		link := directory + "/link"
		must(t, os.Symlink(target, link))
		for _, path := range []string{link, "link", target} {
			if path == target && !strings.HasPrefix(target, "/") {
				continue
			}
			operations := map[string]error{}
			_, operations["read"] = Read([]byte(path), 0, -1, &bytes.Buffer{})
			_, operations["write"] = NewWriter([]byte(path), 0o600, false)
			_, operations["write with parents"] = NewWriter([]byte(path+"/x/y"), 0o600, true)
			_, operations["stat"] = Stat([]byte(path), true)
			_, operations["list"] = List([]byte(path), func(Entry) error { return nil })
			operations["mkdir"] = Mkdir([]byte(path+"/x"), 0o700, true)
			operations["remove"] = Remove([]byte(path+"/x"), false)
			for name, err := range operations {
				t.Run(name+" "+path+" to "+target, func(t *testing.T) { assertCode(t, err, NotRegular) })
			}
		}
		must(t, os.Remove(link))
	}
}

func TestDirectoryLinkIntoProc(t *testing.T) {
	directory := workspace(t)
	must(t, os.Symlink("/proc/self/fd", directory+"/fds"))
	_, err := Read([]byte("fds/0"), 0, -1, &bytes.Buffer{})
	assertCode(t, err, NotRegular)
	// The link itself can be looked at and removed.
	entry, err := Stat([]byte("fds"), false)
	must(t, err)
	if entry.Type != "symlink" {
		t.Fatal(entry)
	}
	must(t, Remove([]byte("fds"), false))
}

func TestPathsThatAreNone(t *testing.T) {
	workspace(t)
	deep := strings.Repeat("d/", 2_500)
	for path, code := range map[string]string{
		"":                       Invalid,
		"a\x00b":                 Invalid,
		deep:                     TooLong,
		strings.Repeat("n", 256): TooLong,
		"missing":                NotFound,
		"missing/below":          NotFound,
	} {
		_, err := Stat([]byte(path), false)
		assertCode(t, err, code)
		_, err = Read([]byte(path), 0, -1, &bytes.Buffer{})
		assertCode(t, err, code)
	}
}

func TestSymlinkLoops(t *testing.T) {
	directory := workspace(t)
	must(t, os.Symlink("self", directory+"/self"))
	must(t, os.Symlink("b/x", directory+"/a"))
	must(t, os.Symlink("a/x", directory+"/b"))
	must(t, os.Symlink("grow/grow", directory+"/grow"))
	for _, path := range []string{"self", "a", "grow", "self/x"} {
		_, err := Stat([]byte(path), true)
		assertCode(t, err, Invalid)
		_, err = NewWriter([]byte(path), 0o600, true)
		assertCode(t, err, Invalid)
	}
	assertNoLeak(t, func() { Stat([]byte("grow"), true) })
}

func TestLookupAgreesWithTheKernel(t *testing.T) {
	directory := workspace(t)
	must(t, os.MkdirAll(directory+"/a/b/c", 0o755))
	create(t, directory+"/a/b/file", "content")
	must(t, os.Symlink("a/b", directory+"/relative"))
	must(t, os.Symlink(directory+"/a/b/", directory+"/absolute"))
	must(t, os.Symlink("../b/./file", directory+"/a/b/dots"))
	must(t, os.Symlink("relative/../b/file", directory+"/over"))
	for _, path := range []string{
		"a/b/file", "./a//b/./file", "relative/file", "absolute/file", "a/b/dots", "over", "relative/c/../file", "a/b/c/../../b/file",
		"a", "a/", "a/.", "a/..", ".", "..", "relative", "relative/", "relative/.", "a/b/file/", "a/b/file/x", "a/missing", "relative/missing/",
	} {
		kernel, failed := os.Stat(directory + "/" + path)
		entry, err := Stat([]byte(path), true)
		if (failed == nil) != (err == nil) {
			t.Errorf("%s: kernel says %v, we say %v", path, failed, err)
		}
		if err == nil && kernel.IsDir() != (entry.Type == "directory") {
			t.Errorf("%s: %v", path, entry)
		}
	}
}
