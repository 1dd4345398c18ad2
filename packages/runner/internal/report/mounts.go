package report

import (
	"strings"
	"syscall"
)

// Filesystem is what statfs says of a mount point.
type Filesystem struct {
	Path      string   `json:"path"`
	Type      string   `json:"type"`
	SizeBytes int64    `json:"sizeBytes"`
	Inodes    int64    `json:"inodes"`
	Flags     []string `json:"flags"`
}

// mount is a line of mountinfo.
type mount struct {
	root, target, kind string
	options            []string
	superOptions       []string
}

var mountFlags = []struct {
	bit  int64
	name string
}{{1, "ro"}, {2, "nosuid"}, {4, "nodev"}, {8, "noexec"}}

// statfsFlagsValid says that the kernel filled the flags in.
const statfsFlagsValid = 0x20

// readMounts gives the text as it is too. Where it can't be read there is a line that no mount has, so that it isn't taken
// for a container without mounts.
func readMounts() (mounts []mount, text string) {
	bytes, err := readFile("/proc/self/mountinfo")
	if err != nil {
		return nil, "unreadable: " + errnoName(err) + "\n"
	}
	text = string(bytes)
	for _, line := range strings.Split(text, "\n") {
		if mount, ok := parseMount(line); ok {
			mounts = append(mounts, mount)
		}
	}
	return mounts, text
}

func parseMount(line string) (mount, bool) {
	before, after, found := strings.Cut(line, " - ")
	left, right := strings.Split(before, " "), strings.SplitN(after, " ", 3)
	if !found || len(left) < 6 || len(right) < 3 {
		return mount{}, false
	}
	return mount{
		root:         unescape(left[3]),
		target:       unescape(left[4]),
		kind:         right[0],
		options:      strings.Split(left[5], ","),
		superOptions: strings.Split(right[2], ","),
	}, true
}

func filesystems(mounts []mount) []Filesystem {
	all := make([]Filesystem, 0, len(mounts))
	for _, mount := range mounts {
		all = append(all, mount.filesystem())
	}
	return all
}

func (m mount) filesystem() Filesystem {
	found := Filesystem{Path: m.target, Type: m.kind, Flags: []string{}}
	var stat syscall.Statfs_t
	if syscall.Statfs(m.target, &stat) != nil {
		return found
	}
	found.SizeBytes = bounded(product(stat.Blocks, uint64(stat.Bsize)))
	found.Inodes = bounded(stat.Files)
	for _, flag := range mountFlags {
		// An old gVisor leaves the flags out; there, what mountinfo says is all there is.
		if stat.Flags&flag.bit != 0 || (stat.Flags&statfsFlagsValid == 0 && contains(m.options, flag.name)) {
			found.Flags = append(found.Flags, flag.name)
		}
	}
	return found
}

// unescape undoes the octal that the kernel writes for space, tab, newline and backslash.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var plain strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) && isOctal(path[i+1:i+4]) {
			plain.WriteByte(path[i+1]<<6 | path[i+2]&7<<3 | path[i+3]&7)
			i += 3
			continue
		}
		plain.WriteByte(path[i])
	}
	return plain.String()
}

func isOctal(digits string) bool {
	return strings.Trim(digits, "01234567") == ""
}

func product(a, b uint64) uint64 {
	if b != 0 && a > ^uint64(0)/b {
		return ^uint64(0)
	}
	return a * b
}

func contains(list []string, wanted string) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}
