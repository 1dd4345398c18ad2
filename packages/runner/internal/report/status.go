package report

import (
	"strconv"
	"strings"
)

// status is /proc/self/status by the names of its lines.
type status map[string]string

func readStatus() status {
	lines := status{}
	for _, line := range strings.Split(readText("/proc/self/status"), "\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			lines[name] = strings.TrimSpace(value)
		}
	}
	return lines
}

// number is 0 where the kernel doesn't say.
func (s status) number(name string) int64 {
	value, err := strconv.ParseInt(s[name], 10, 64)
	if err != nil || value < 0 {
		return 0
	}
	return bounded(uint64(value))
}

// bounded keeps to the largest number that the protocol carries.
func bounded(value uint64) int64 {
	const most = 1<<53 - 1
	if value > most {
		return most
	}
	return int64(value)
}
