package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// workspace makes a directory that relative paths are relative to.
func workspace(t *testing.T) string {
	t.Helper()
	directory, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before := Root
	Root = directory
	t.Cleanup(func() { Root = before })
	return directory
}

func create(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func assertCode(t *testing.T, err error, code string) {
	t.Helper()
	var made *Error
	if !errors.As(err, &made) {
		t.Fatalf("expected an Error with code %s, got %v", code, err)
	}
	if made.Code != code {
		t.Fatalf("expected code %s, got %s: %s", code, made.Code, made.Message)
	}
}

func assertContent(t *testing.T, path, content string) {
	t.Helper()
	found, err := os.ReadFile(path)
	must(t, err)
	if string(found) != content {
		t.Fatalf("%s: expected %q, got %q", path, content, found)
	}
}

// assertNoTemporary makes sure that no temporary file is left.
func assertNoTemporary(t *testing.T, directory string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	must(t, err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".nanoclaw-") {
			t.Fatalf("%s was left behind", entry.Name())
		}
	}
}

// assertNoLeak makes sure that no descriptor is left open.
func assertNoLeak(t *testing.T, run func()) {
	t.Helper()
	before := countOpen(t)
	run()
	if after := countOpen(t); after > before {
		t.Fatalf("%d open files before, %d after", before, after)
	}
}

func countOpen(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	must(t, syscall.Mkfifo(path, 0o600))
}

func socketAt(t *testing.T, path string) {
	t.Helper()
	must(t, syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0))
}

// oddNames are names that a payload may choose.
var oddNames = []string{
	"new\nline", "tab\tand space", "-rf", "not\xff\xfeutf8", "quote'\"\\", "…", "\u202eltr", strings.Repeat("n", 255), "...", "~", "\x1b[2J",
}
