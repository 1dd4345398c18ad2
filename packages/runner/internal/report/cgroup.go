package report

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// Cgroup has the limits of the runner's own control group; nil is unlimited, or not to be seen.
type Cgroup struct {
	Version        int      `json:"version"`
	Paths          []string `json:"paths"`
	MemoryMaxBytes *int64   `json:"memoryMaxBytes"`
	SwapMaxBytes   *int64   `json:"swapMaxBytes"`
	PidsMax        *int64   `json:"pidsMax"`
	CPUQuotaUs     *int64   `json:"cpuQuotaUs"`
	CPUPeriodUs    *int64   `json:"cpuPeriodUs"`
	CPUShares      *int64   `json:"cpuShares"`
	CPUWeight      *int64   `json:"cpuWeight"`
}

// cgroups is where this process's groups are mounted: by controller for version 1, by the empty name for version 2.
type cgroups map[string][]string

func cgroup(mounts []mount) Cgroup {
	paths, byController := ownCgroups(readText("/proc/self/cgroup"))
	found := findCgroups(mounts, byController)
	limits := Cgroup{Paths: paths}
	_, hasMemory := found["memory"]
	_, hasPids := found["pids"]
	_, hasCPU := found["cpu"]
	_, hasUnified := found[""]
	switch {
	case hasMemory || hasPids || hasCPU:
		limits.Version = 1
		found.readVersion1(&limits)
	case hasUnified:
		limits.Version = 2
		found.readVersion2(&limits)
	}
	return limits
}

// ownCgroups parses lines of `hierarchy:controller,controller:path`.
func ownCgroups(text string) (paths []string, byController map[string]string) {
	paths, byController = []string{}, map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			continue
		}
		if !contains(paths, fields[2]) {
			paths = append(paths, fields[2])
		}
		for _, controller := range strings.Split(fields[1], ",") {
			byController[controller] = fields[2]
		}
	}
	return paths, byController
}

// findCgroups gives the directories to look in, the likeliest first: a mount may show the whole tree, or start at our group.
func findCgroups(mounts []mount, byController map[string]string) cgroups {
	found := cgroups{}
	for _, mount := range mounts {
		var controllers []string
		switch mount.kind {
		case "cgroup":
			controllers = mount.superOptions
		case "cgroup2":
			controllers = []string{""}
		}
		for _, controller := range controllers {
			own, known := byController[controller]
			if known {
				below := strings.TrimPrefix(own, strings.TrimSuffix(mount.root, "/"))
				found[controller] = append(found[controller], filepath.Join(mount.target, below), mount.target)
			}
		}
	}
	return found
}

func (c cgroups) readVersion1(limits *Cgroup) {
	limits.MemoryMaxBytes = limit(c.read("memory", "memory.limit_in_bytes"))
	if both := limit(c.read("memory", "memory.memsw.limit_in_bytes")); both != nil && limits.MemoryMaxBytes != nil {
		swap := *both - *limits.MemoryMaxBytes
		limits.SwapMaxBytes = &swap
	}
	limits.PidsMax = limit(c.read("pids", "pids.max"))
	limits.CPUQuotaUs = limit(c.read("cpu", "cpu.cfs_quota_us"))
	limits.CPUPeriodUs = limit(c.read("cpu", "cpu.cfs_period_us"))
	limits.CPUShares = limit(c.read("cpu", "cpu.shares"))
}

func (c cgroups) readVersion2(limits *Cgroup) {
	limits.MemoryMaxBytes = limit(c.read("", "memory.max"))
	limits.SwapMaxBytes = limit(c.read("", "memory.swap.max"))
	limits.PidsMax = limit(c.read("", "pids.max"))
	quota, period, _ := strings.Cut(c.read("", "cpu.max"), " ")
	limits.CPUQuotaUs, limits.CPUPeriodUs = limit(quota), limit(period)
	limits.CPUWeight = limit(c.read("", "cpu.weight"))
}

func (c cgroups) read(controller, file string) string {
	for _, directory := range c[controller] {
		if text := readText(filepath.Join(directory, file)); text != "" {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// limit is nil for `max`, -1, and the largest number of pages, by which version 1 says unlimited.
func limit(text string) *int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || value >= math.MaxInt64&^0xffff {
		return nil
	}
	value = bounded(uint64(value))
	return &value
}
