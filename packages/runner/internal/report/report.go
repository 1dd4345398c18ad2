// Package report tells what the runner sees of the container it is in: plain facts, by system call where one exists,
// no judgement. The host compares them with the policy, so what can't be seen is reported in the form that reads as the weaker
// control, never as the stronger one.
package report

import "os"

// Report is the protocol's report; docs/protocol.md describes the members.
type Report struct {
	Pid              int               `json:"pid"`
	UIDs             [3]uint32         `json:"uids"`
	GIDs             [3]uint32         `json:"gids"`
	Groups           []int             `json:"groups"`
	Umask            int               `json:"umask"`
	Capabilities     Capabilities      `json:"capabilities"`
	NoNewPrivileges  bool              `json:"noNewPrivileges"`
	Dumpable         int               `json:"dumpable"`
	SeccompMode      int               `json:"seccompMode"`
	SeccompFilters   int64             `json:"seccompFilters"`
	SecurityLabel    string            `json:"securityLabel"`
	Probes           map[string]string `json:"probes"`
	MountInfo        string            `json:"mountInfo"`
	Filesystems      []Filesystem      `json:"filesystems"`
	Interfaces       []Interface       `json:"interfaces"`
	Routes4          int               `json:"routes4"`
	Routes6          int               `json:"routes6"`
	Cgroup           Cgroup            `json:"cgroup"`
	Rlimits          map[string]Rlimit `json:"rlimits"`
	Namespaces       map[string]string `json:"namespaces"`
	UIDMap           string            `json:"uidMap"`
	GIDMap           string            `json:"gidMap"`
	Hostname         string            `json:"hostname"`
	Devices          []Device          `json:"devices"`
	OpenFiles        []OpenFile        `json:"openFiles"`
	MaskedPaths      map[string]string `json:"maskedPaths"`
	RootWrite        string            `json:"rootWrite"`
	OOMScoreAdj      int64             `json:"oomScoreAdj"`
	Kernel           string            `json:"kernel"`
	Architecture     string            `json:"architecture"`
	EnvironmentNames []string          `json:"environmentNames"`
}

// Collect takes the report. maskedPaths are those that the host wants looked at.
func Collect(maskedPaths []string) Report {
	system := uname()
	status := readStatus()
	mounts, mountInfo := readMounts()
	return Report{
		Pid:              os.Getpid(),
		UIDs:             userIDs(),
		GIDs:             groupIDs(),
		Groups:           groups(),
		Umask:            umask(status),
		Capabilities:     capabilities(),
		NoNewPrivileges:  prctl(prGetNoNewPrivs, 0, 0) == 1,
		Dumpable:         dumpable(),
		SeccompMode:      seccompMode(status),
		SeccompFilters:   status.number("Seccomp_filters"),
		SecurityLabel:    securityLabel(),
		Probes:           runProbes(),
		MountInfo:        mountInfo,
		Filesystems:      filesystems(mounts),
		Interfaces:       interfaces(),
		Routes4:          routes4(),
		Routes6:          routes6(),
		Cgroup:           cgroup(mounts),
		Rlimits:          rlimits(),
		Namespaces:       namespaces(),
		UIDMap:           idMap("uid_map"),
		GIDMap:           idMap("gid_map"),
		Hostname:         system.nodename,
		Devices:          devices("/dev"),
		OpenFiles:        openFiles(),
		MaskedPaths:      lookAtMasked(maskedPaths),
		RootWrite:        rootWrite("/"),
		OOMScoreAdj:      oomScoreAdj(),
		Kernel:           system.release,
		Architecture:     system.machine,
		EnvironmentNames: environmentNames(),
	}
}
