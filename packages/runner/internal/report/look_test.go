package report

import (
	"os"
	"reflect"
	"syscall"
	"testing"
)

func TestMaskedPaths(t *testing.T) {
	directory := t.TempDir() + "/"
	must(t, os.WriteFile(directory+"writable", []byte("kept"), 0o644))
	must(t, os.Mkdir(directory+"empty", 0o755))
	must(t, os.MkdirAll(directory+"full/x", 0o755))
	must(t, syscall.Mkfifo(directory+"fifo", 0o400))
	must(t, os.Symlink("nowhere", directory+"dangling"))
	expected := map[string]string{
		"/nowhere": "absent", "/dev/null/x": "absent", "/dev/null": "empty", "/dev/zero": "writable", "/proc/version": "readable",
		directory + "writable": "writable", directory + "empty": "empty", directory + "full": "readable", directory + "dangling": "absent",
	}
	if os.Getuid() == 0 {
		// Root may write what isn't on a read-only mount.
		delete(expected, "/proc/version")
		expected[directory+"fifo"] = "writable"
	} else {
		must(t, os.WriteFile(directory+"locked", []byte("x"), 0))
		expected[directory+"locked"] = "unreadable"
		expected[directory+"fifo"] = "empty"
		must(t, os.Mkdir(directory+"shut", 0))
		expected[directory+"shut"] = "unreadable"
		expected[directory+"shut/x"] = "unreadable"
	}
	paths := []string{}
	for path := range expected {
		paths = append(paths, path)
	}
	if found := lookAtMasked(paths); !reflect.DeepEqual(found, expected) {
		t.Fatalf("expected %v\ngot %v", expected, found)
	}
	content, err := os.ReadFile(directory + "writable")
	must(t, err)
	if string(content) != "kept" {
		t.Fatal("looking changed it")
	}
}

func TestDevices(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/shm/deep", 0o755))
	must(t, syscall.Mkfifo(root+"/shm/deep/fifo", 0o600))
	must(t, syscall.Mknod(root+"/socket", syscall.S_IFSOCK|0o600, 0))
	must(t, os.WriteFile(root+"/file", nil, 0o600))
	must(t, os.Symlink("/dev", root+"/link"))
	expected := []Device{{Path: root + "/socket", Type: "socket"}, {Path: root + "/shm/deep/fifo", Type: "fifo"}}
	if found := devices(root); !reflect.DeepEqual(found, expected) {
		t.Fatal(found)
	}
	for i := 0; i < 2*maxDevices; i++ {
		must(t, syscall.Mkfifo(root+"/shm/"+string(rune('a'+i%26))+string(rune(0x4e00+i)), 0o600))
	}
	if found := devices(root); len(found) != maxDevices {
		t.Fatal(len(found))
	}
	found := devices("/dev")
	for _, device := range found {
		if device.Path == "/dev/null" && device == (Device{"/dev/null", "character", 1, 3}) {
			return
		}
	}
	t.Fatal(found)
}

func TestDeviceNumbers(t *testing.T) {
	for _, numbers := range [][2]uint64{{1, 3}, {254, 65_535}, {0xfff, 0xfffff}, {8, 300}} {
		// As glibc's makedev packs them.
		device := numbers[1]&0xff | numbers[0]&0xfff<<8 | numbers[1]&^0xff<<12 | numbers[0]&^0xfff<<32
		if uint64(major(device)) != numbers[0] || uint64(minor(device)) != numbers[1] {
			t.Error(numbers, major(device), minor(device))
		}
	}
}

func TestErrnoNames(t *testing.T) {
	for errno, name := range map[syscall.Errno]string{
		syscall.EPERM: "EPERM", syscall.ENOSYS: "ENOSYS", syscall.EOPNOTSUPP: "EOPNOTSUPP", syscall.EAFNOSUPPORT: "EAFNOSUPPORT",
		syscall.EACCES: "EACCES", syscall.EROFS: "EROFS", syscall.EAGAIN: "EAGAIN", syscall.EDEADLK: "EDEADLK",
		syscall.Errno(133): "EHWPOISON", 0: "ok", 999: "errno 999",
	} {
		if errnoName(errno) != name {
			t.Error(name, errnoName(errno))
		}
	}
}
