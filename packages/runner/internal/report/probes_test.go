package report

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// The names that the host requires, from docs/protocol.md.
const probeNames = `unshare-user unshare-mount clone3-user setns mount umount pivot_root chroot fsopen open_tree move_mount ptrace
process_vm_readv keyctl add_key request_key bpf perf_event_open userfaultfd io_uring_setup open_by_handle_at name_to_handle_at
init_module kexec_load swapon acct settimeofday sethostname quotactl syslog mknod-device socket-packet socket-raw socket-vsock
socket-alg socket-tipc socket-rds socket-bluetooth socket-netlink-netfilter setuid-0 setgid-0 capset tiocsti`

func TestProbesAreComplete(t *testing.T) {
	results, names := runProbes(), strings.Fields(probeNames)
	if len(results) != len(names) {
		t.Error(len(results), len(names))
	}
	for _, name := range names {
		if results[name] == "" {
			t.Error(name, "is not probed")
		}
	}
}

// Without a filter a probe must fail by its arguments, or it would do what it asks for. This machine's own answers.
func TestProbesDoNothingWhereTheyAreAllowed(t *testing.T) {
	if readStatus()["Seccomp"] != "0" {
		t.Skip("not run: a seccomp filter is in force")
	}
	if uname().release == "4.4.0" {
		t.Skip("not run: gVisor implements these calls in its own way")
	}
	harmless := map[string]bool{"EINVAL": true, "EFAULT": true, "EBADF": true, "ESRCH": true, "EOPNOTSUPP": true, "ENOSYS": true, "EPERM": true, "EACCES": true}
	// What succeeds is undone (sockets, the node), only asks (syslog), or is of the thread that ends.
	undone := map[string]bool{"mknod-device": true, "syslog": true, "setuid-0": true, "setgid-0": true, "capset": true}
	for name, result := range runProbes() {
		if !harmless[result] && !undone[name] && !strings.HasPrefix(name, "socket-") {
			t.Error(name, result)
		}
	}
	for _, directory := range scratchDirectories {
		entries, _ := os.ReadDir(directory)
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), ".nanoclaw-probe-") {
				t.Error("left behind", entry.Name())
			}
		}
	}
}

func TestProbingLeavesNoDescriptor(t *testing.T) {
	before := len(openFilesByNumber())
	for i := 0; i < 50; i++ {
		runProbes()
	}
	if after := len(openFilesByNumber()); after > before+4 {
		t.Error(before, after)
	}
}

func TestMainThreadIsLeftAlone(t *testing.T) {
	for i := 0; i < 100; i++ {
		runProbes()
	}
	var stat syscall.Stat_t
	must(t, syscall.Stat("/proc/self", &stat))
	if int(stat.Uid) != os.Getuid() {
		t.Error(stat.Uid)
	}
}

func BenchmarkCollect(b *testing.B) {
	for i := 0; i < b.N; i++ {
		Collect([]string{"/proc/kcore", "/proc/keys", "/sys/firmware"})
	}
}
