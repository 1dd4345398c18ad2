package report

import "syscall"

// readFile reads with plain system calls: package os would add an epoll descriptor to the open files that are reported.
func readFile(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	content := make([]byte, 0, 4096)
	for {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := syscall.Read(fd, content[len(content):cap(content)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return content, nil
		}
		content = content[:len(content)+n]
	}
}

// readText is empty where the file can't be read.
func readText(path string) string {
	content, err := readFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// readLink is readlink(2) for the short links of procfs.
func readLink(path string) (string, error) {
	var target [4096]byte
	n, err := syscall.Readlink(path, target[:])
	if err != nil {
		return "", err
	}
	return string(target[:n]), nil
}
