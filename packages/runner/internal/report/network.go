package report

import (
	"net"
	"strings"
	"syscall"
)

// Interface is a network interface.
type Interface struct {
	Name      string   `json:"name"`
	Index     int      `json:"index"`
	Up        bool     `json:"up"`
	Loopback  bool     `json:"loopback"`
	Addresses []string `json:"addresses"`
}

// interfaces asks netlink, or, where that is closed, /proc. Where neither answers there is one that the host doesn't know.
func interfaces() []Interface {
	found, err := net.Interfaces()
	if err != nil {
		return interfacesFromProc()
	}
	all := make([]Interface, 0, len(found))
	for i := range found {
		entry := Interface{
			Name:      found[i].Name,
			Index:     found[i].Index,
			Up:        found[i].Flags&net.FlagUp != 0,
			Loopback:  found[i].Flags&net.FlagLoopback != 0,
			Addresses: []string{},
		}
		addresses, _ := found[i].Addrs()
		for _, address := range addresses {
			entry.Addresses = append(entry.Addresses, address.String())
		}
		all = append(all, entry)
	}
	return all
}

func interfacesFromProc() []Interface {
	text, err := readFile("/proc/net/dev")
	if err != nil {
		return []Interface{{Name: "unknown", Addresses: []string{}}}
	}
	all := []Interface{}
	for _, line := range strings.Split(string(text), "\n") {
		if name, _, isRow := strings.Cut(strings.TrimSpace(line), ":"); isRow {
			all = append(all, Interface{Name: name, Up: true, Loopback: name == "lo", Addresses: []string{}})
		}
	}
	return all
}

// routes4 counts the rows, which start after a header.
func routes4() int {
	rows, readable := routeRows("/proc/net/route")
	if readable && rows != nil {
		rows = rows[1:]
	}
	return len(rows)
}

// routes6 leaves out the rows that the loopback device has by itself.
func routes6() int {
	rows, _ := routeRows("/proc/net/ipv6_route")
	count := 0
	for _, row := range rows {
		fields := strings.Fields(row)
		if fields[len(fields)-1] != "lo" {
			count++
		}
	}
	return count
}

// routeRows gives none where the kernel has no such protocol, and one where it won't say.
func routeRows(path string) (rows []string, readable bool) {
	text, err := readFile(path)
	if err == syscall.ENOENT {
		return nil, true
	}
	if err != nil {
		return []string{"unreadable"}, false
	}
	for _, row := range strings.Split(string(text), "\n") {
		if strings.TrimSpace(row) != "" {
			rows = append(rows, row)
		}
	}
	return rows, true
}
