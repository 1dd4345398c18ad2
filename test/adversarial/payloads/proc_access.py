"""What a sandbox sees of its host through /proc, /sys and /dev: prints, for each path, `readable`, `writable`, `empty`, or the errno."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import attempt  # noqa: E402

FILES = """
buddyinfo cgroups cmdline config.gz consoles cpuinfo crypto devices diskstats dma driver execdomains fb filesystems interrupts iomem
ioports kallsyms kcore key-users keys kmsg kpagecgroup kpagecount kpageflags loadavg locks meminfo misc modules mounts mtrr
pagetypeinfo partitions pressure/cpu pressure/memory schedstat slabinfo softirqs stat swaps sysrq-trigger timer_list uptime version
vmallocinfo vmstat zoneinfo bus/input/devices bus/pci/devices fs/ext4 irq/default_smp_affinity scsi/scsi tty/drivers sys/fs/binfmt_misc
sys/kernel/random/boot_id sys/kernel/random/entropy_avail sys/kernel/hostname sys/kernel/domainname sys/kernel/osrelease sys/kernel/version
sys/kernel/core_pattern sys/kernel/cap_last_cap sys/kernel/dmesg_restrict sys/kernel/kptr_restrict sys/kernel/modprobe sys/kernel/ns_last_pid
sys/kernel/pid_max sys/kernel/threads-max sys/kernel/usermodehelper/bset sys/kernel/yama/ptrace_scope sys/kernel/unprivileged_bpf_disabled
sys/kernel/io_uring_disabled sys/user/max_user_namespaces sys/vm/mmap_min_addr sys/vm/drop_caches sys/vm/panic_on_oom sys/fs/file-nr
sys/fs/inode-nr sys/fs/protected_symlinks sys/fs/suid_dumpable sys/net/core/bpf_jit_enable sys/net/core/somaxconn sys/net/ipv4/ip_forward
sys/net/ipv4/ip_unprivileged_port_start sys/net/ipv4/ping_group_range net/dev net/tcp net/unix net/packet net/netlink net/route net/arp
net/protocols net/nf_conntrack net/ip_tables_names net/fib_trie
self/mountinfo self/cgroup self/attr/current self/auxv self/environ self/maps self/pagemap self/stack self/wchan self/clear_refs self/oom_adj
self/ns/net self/uid_map self/setgroups self/coredump_filter self/timerslack_ns self/make-it-fail self/sched self/autogroup self/loginuid
self/sessionid self/arch_status self/ksm_stat 1/cmdline 1/status 1/stat 1/statm 1/sched 1/cgroup 1/mountinfo 1/limits 1/wchan 1/comm 1/oom_score
1/attr/current 1/loginuid 1/timerslack_ns 1/autogroup 1/uid_map 1/task/1/children 1/net/dev
""".split()
SYS = """
block bus/pci/devices class/net class/block class/dmi/id class/thermal class/hwmon class/tty class/rtc dev/block devices/system/cpu/online
devices/system/cpu/vulnerabilities/meltdown devices/system/cpu/possible devices/system/node devices/system/memory devices/virtual/dmi/id
devices/virtual/powercap devices/virtual/net firmware firmware/acpi firmware/dmi fs/bpf fs/cgroup fs/ext4 fs/fuse/connections fs/pstore fs/selinux hypervisor
kernel/boot_params kernel/btf/vmlinux kernel/config kernel/debug kernel/iommu_groups kernel/irq kernel/kexec_loaded kernel/mm/hugepages kernel/mm/ksm/run
kernel/mm/transparent_hugepage/enabled kernel/notes kernel/profiling kernel/security kernel/slab kernel/tracing kernel/uevent_helper
kernel/uevent_seqnum kernel/vmcoreinfo module power/state power/disk
""".split()
DEV = 'null zero full random urandom tty ptmx pts/ptmx console kmsg mem kvm fuse net/tun vsock vhost-vsock shm mqueue fd stdin hugepages log initctl'.split()


def look(path):
    if os.path.isdir(path):
        return 'ok:entries' if os.listdir(path) else 'ok:empty'
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return 'ok:readable' if os.read(handle, 16) else 'ok:empty'


def writing(path):
    if os.path.isdir(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(13, 'denied')
        return
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))


found = {}
paths = ['/proc/' + name for name in FILES] + ['/sys/' + name for name in SYS] + ['/dev/' + name for name in DEV]
for path in paths:
    read = attempt(lambda: look(path))
    write = attempt(lambda: writing(path))
    found[path] = read.replace('ok:', '') + (', writable' if write == 'ok' else '')
print(json.dumps(found))
