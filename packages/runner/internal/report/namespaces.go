package report

import "syscall"

var namespaceNames = []string{"pid", "net", "ipc", "uts", "mnt", "user", "cgroup", "time"}

func namespaces() map[string]string {
	all := map[string]string{}
	for _, name := range namespaceNames {
		if target, err := readLink("/proc/self/ns/" + name); err == nil {
			all[name] = target
		}
	}
	return all
}

// idMap is the identity where it can't be read: a kernel without user namespaces has no such file, and anything else
// would read as a user namespace.
func idMap(file string) string {
	text, err := readFile("/proc/self/" + file)
	if err != nil {
		return "         0          0 4294967295\n"
	}
	return string(text)
}

type system struct{ nodename, release, machine string }

func uname() system {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return system{}
	}
	return system{text(name.Nodename[:]), text(name.Release[:]), text(name.Machine[:])}
}

// text is a C string.
func text(chars []int8) string {
	bytes := make([]byte, 0, len(chars))
	for _, char := range chars {
		if char == 0 {
			break
		}
		bytes = append(bytes, byte(char))
	}
	return string(bytes)
}
