package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// tree writes files below a directory and gives it back.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content+"\n"), 0o644))
	}
	return root
}

func limitsOf(t *testing.T, mounts []mount, ownGroups string) string {
	t.Helper()
	paths, byController := ownCgroups(ownGroups)
	limits := Cgroup{Paths: paths}
	found := findCgroups(mounts, byController)
	if len(found["memory"]) > 0 {
		found.readVersion1(&limits)
	} else {
		found.readVersion2(&limits)
	}
	bytes, err := json.Marshal(limits)
	must(t, err)
	return string(bytes)
}

func TestCgroupVersion1(t *testing.T) {
	files := map[string]string{
		"memory/memory.limit_in_bytes": "268435456", "memory/memory.memsw.limit_in_bytes": "268435456",
		"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000", "cpu,cpuacct/cpu.shares": "512",
		"pids/pids.max": "64",
	}
	mounts := func(root, group string) []mount {
		return []mount{
			{root: group, target: root + "/memory", kind: "cgroup", superOptions: []string{"rw", "memory"}},
			{root: group, target: root + "/cpu,cpuacct", kind: "cgroup", superOptions: []string{"rw", "cpu", "cpuacct"}},
			{root: group, target: root + "/pids", kind: "cgroup", superOptions: []string{"rw", "pids"}},
		}
	}
	numbers := `"memoryMaxBytes":268435456,"swapMaxBytes":0,"pidsMax":64,"cpuQuotaUs":50000,"cpuPeriodUs":100000,"cpuShares":512,"cpuWeight":null}`
	private := "3:pids:/\n2:cpu,cpuacct:/\n1:memory:/\n0::/\n"
	if found := limitsOf(t, mounts(tree(t, files), "/"), private); found != `{"version":0,"paths":["/"],`+numbers {
		t.Error(found)
	}
	// The host's cgroup namespace: the mount starts at our group, or shows the whole tree.
	shared := "3:pids:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:memory:/docker/abc\n"
	if found := limitsOf(t, mounts(tree(t, files), "/docker/abc"), shared); found != `{"version":0,"paths":["/docker/abc"],`+numbers {
		t.Error(found)
	}
	whole := map[string]string{"memory/memory.limit_in_bytes": "1", "pids/pids.max": "1"}
	for name, content := range files {
		whole[filepath.Dir(name)+"/docker/abc/"+filepath.Base(name)] = content
	}
	if found := limitsOf(t, mounts(tree(t, whole), "/"), shared); found != `{"version":0,"paths":["/docker/abc"],`+numbers {
		t.Error(found)
	}
}

func TestCgroupUnlimited(t *testing.T) {
	root := tree(t, map[string]string{
		"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.memsw.limit_in_bytes": "9223372036854771712",
		"pids/pids.max": "max", "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000", "cpu/cpu.shares": "1024",
	})
	var mounts []mount
	for _, name := range []string{"memory", "pids", "cpu"} {
		mounts = append(mounts, mount{root: "/", target: root + "/" + name, kind: "cgroup", superOptions: []string{"rw", name}})
	}
	found := limitsOf(t, mounts, "3:pids:/\n2:cpu:/\n1:memory:/\n")
	if found != `{"version":0,"paths":["/"],"memoryMaxBytes":null,"swapMaxBytes":null,"pidsMax":null,"cpuQuotaUs":null,"cpuPeriodUs":100000,"cpuShares":1024,"cpuWeight":null}` {
		t.Error(found)
	}
}

func TestCgroupVersion2(t *testing.T) {
	root := tree(t, map[string]string{"memory.max": "268435456", "memory.swap.max": "0", "pids.max": "64", "cpu.max": "50000 100000", "cpu.weight": "20"})
	mounts := []mount{{root: "/", target: root, kind: "cgroup2", superOptions: []string{"rw"}}}
	if found := limitsOf(t, mounts, "0::/\n"); found != `{"version":0,"paths":["/"],"memoryMaxBytes":268435456,"swapMaxBytes":0,"pidsMax":64,"cpuQuotaUs":50000,"cpuPeriodUs":100000,"cpuShares":null,"cpuWeight":20}` {
		t.Error(found)
	}
	root = tree(t, map[string]string{"memory.max": "max", "memory.swap.max": "max", "pids.max": "max", "cpu.max": "max 100000"})
	mounts[0].target = root
	if found := limitsOf(t, mounts, "0::/\n"); found != `{"version":0,"paths":["/"],"memoryMaxBytes":null,"swapMaxBytes":null,"pidsMax":null,"cpuQuotaUs":null,"cpuPeriodUs":100000,"cpuShares":null,"cpuWeight":null}` {
		t.Error(found)
	}
}

func TestNoCgroup(t *testing.T) {
	if found := cgroup(nil); found.Version != 0 || found.MemoryMaxBytes != nil || found.Paths == nil {
		t.Error(found)
	}
}

func TestMountLines(t *testing.T) {
	parsed, ok := parseMount(`36 35 98:0 /ro\040ot /m\134n\011t rw,noexec master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue`)
	if !ok || parsed.root != "/ro ot" || parsed.target != "/m\\n\tt" || parsed.kind != "ext3" || !contains(parsed.options, "noexec") {
		t.Error(parsed)
	}
	for _, line := range []string{"", "36 35 98:0 / /mnt rw", "a - b c d", `\`} {
		if parsed, ok := parseMount(line); ok {
			t.Error(line, parsed)
		}
	}
	if unescape(`\1`) != `\1` || unescape(`\999`) != `\999` || unescape(`\040`) != " " || unescape(`x\134`) != `x\` {
		t.Error("unescape")
	}
}
