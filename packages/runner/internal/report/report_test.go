package report

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReportHasNoNull(t *testing.T) {
	bytes, err := json.Marshal(Collect([]string{"/nowhere"}))
	must(t, err)
	var members map[string]interface{}
	must(t, json.Unmarshal(bytes, &members))
	for name, value := range members {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
	for _, part := range []string{`"addresses":null`, `"flags":null`} {
		if strings.Contains(string(bytes), part) {
			t.Error(part)
		}
	}
}

// What a second witness says of the same process.
func TestReportAgreesWithStatus(t *testing.T) {
	report, status := Collect(nil), readStatus()
	for name, found := range map[string]string{
		"CapInh": report.Capabilities.Inheritable, "CapPrm": report.Capabilities.Permitted, "CapEff": report.Capabilities.Effective,
		"CapBnd": report.Capabilities.Bounding, "CapAmb": report.Capabilities.Ambient,
	} {
		if told, has := status[name]; has && told != found {
			t.Errorf("%s: status says %s, the report %s", name, status[name], found)
		}
	}
	if report.Pid != os.Getpid() || int(report.UIDs[0]) != os.Getuid() || int(report.GIDs[2]) != os.Getgid() {
		t.Error(report.Pid, report.UIDs, report.GIDs)
	}
	release, err := exec.Command("uname", "-rm").Output()
	must(t, err)
	if strings.TrimSpace(string(release)) != report.Kernel+" "+report.Architecture {
		t.Error(report.Kernel, report.Architecture)
	}
	if len(report.Rlimits) != 16 || len(report.Filesystems) != strings.Count(report.MountInfo, "\n") {
		t.Error(report.Rlimits, len(report.Filesystems))
	}
}

func TestCollectingChangesNothing(t *testing.T) {
	before := readStatus()
	umaskBefore := syscall.Umask(0o027)
	defer syscall.Umask(umaskBefore)
	for i := 0; i < 20; i++ {
		if report := Collect(nil); report.Umask != 0o027 {
			t.Fatal(report.Umask)
		}
	}
	after := readStatus()
	for _, name := range []string{"Uid", "Gid", "CapPrm", "CapEff", "Groups", "FDSize", "NoNewPrivs", "Seccomp"} {
		if before[name] != after[name] {
			t.Errorf("%s was %s and is %s", name, before[name], after[name])
		}
	}
	if umask(status{}) != 0o027 || umask(status{}) != 0o027 {
		t.Error("asking for the umask changes it")
	}
	// The threads that probed are gone.
	deadline := time.Now().Add(5 * time.Second)
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		must(t, err)
		if len(tasks) < 30 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(len(tasks), "threads")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestInterfacesBothWays(t *testing.T) {
	asked, read := interfaces(), interfacesFromProc()
	if len(asked) != len(read) || len(asked) == 0 {
		t.Fatal(asked, read)
	}
	for _, entry := range asked {
		if _, err := net.InterfaceByIndex(entry.Index); err != nil {
			t.Error(entry, err)
		}
	}
}

func TestOpenFiles(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "open")
	must(t, err)
	defer file.Close()
	found := false
	for _, open := range openFiles() {
		found = found || (open.FD == int(file.Fd()) && open.Target == file.Name())
		if strings.HasSuffix(open.Target, "/fd") {
			t.Error("the directory that was read is reported", open)
		}
	}
	if !found || len(openFiles()) != len(openFilesByNumber()) {
		t.Error(openFiles(), openFilesByNumber())
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("NANOCLAW_TEST", "a=b")
	CaptureEnvironment()
	os.Unsetenv("NANOCLAW_TEST")
	names := Collect(nil).EnvironmentNames
	captured = nil
	if !contains(names, "NANOCLAW_TEST") || contains(Collect(nil).EnvironmentNames, "NANOCLAW_TEST") {
		t.Fatal(names)
	}
}

func TestRootWrite(t *testing.T) {
	directory := t.TempDir()
	if result := rootWrite(directory); result != "ok" {
		t.Fatal(result)
	}
	entries, err := os.ReadDir(directory)
	must(t, err)
	if len(entries) != 0 || rootWrite("/nowhere") != "ENOENT" || rootWrite("/proc") == "ok" {
		t.Fatal(entries, rootWrite("/nowhere"))
	}
}
