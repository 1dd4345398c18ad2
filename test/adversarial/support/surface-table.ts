/** Actions of `payloads/kernel_surface.py` and what must come of each: an errno, or a value that the payload answers after `ok:`. */
export interface SurfaceGroup {
  /** Number in the corpus; `0` is what belongs to none of its cases. */
  readonly case: number;
  readonly name: string;
  /** Any of these. More than one only where engines and kernels differ for a reason that the comment gives. */
  readonly expected: readonly string[];
  readonly actions: readonly string[];
}

/** One action for each of the words. */
const each = (prefix: string, words: string): readonly string[] => words.split(' ').map((word) => `${prefix}${word}`);

const refused = ['EPERM'];
/** What isn't there at all, or is there and not ours. */
const absent = ['ENOENT'];
const hidden = ['EACCES'];

export const surface: readonly SurfaceGroup[] = [
  {
    case: 1,
    name: 'setuid0',
    expected: refused,
    actions: ['setuid(0)', 'setgid(0)', 'setresuid(0, 0, 0)', 'setgroups([0])', 'setuid(65534)', 'chown to root'],
  },
  { case: 2, name: 'suid-binary', expected: ['ok:uid-unchanged'], actions: ['run an own setuid file in /workspace'] },
  {
    case: 4,
    name: 'capset',
    expected: refused,
    actions: [
      'capset CAP_SYS_ADMIN',
      'capset CAP_CHOWN inheritable',
      'ambient CAP_CHOWN',
      'securebits',
      'drop CAP_CHOWN from the bounding set',
    ],
  },
  { case: 4, name: 'no_new_privs', expected: ['EINVAL'], actions: ['clear no_new_privs'] },
  { case: 5, name: 'userns', expected: refused, actions: ['unshare user', 'clone user'] },
  // clone3 has its flags in memory, where a filter can't look; ENOSYS makes programs fall back to clone.
  { case: 5, name: 'userns', expected: ['ENOSYS'], actions: ['clone3 user', 'clone3 without a namespace'] },
  { case: 5, name: 'userns', expected: ['ok'], actions: ['clone without a namespace'] },
  {
    case: 6,
    name: 'other-ns',
    expected: refused,
    actions: [
      ...each('unshare ', 'mount cgroup uts ipc pid network time'),
      ...each('clone ', 'mount cgroup uts ipc pid network'),
      ...each('setns own ', 'mount cgroup uts ipc user pid network'),
      'setns of PID 1 through a pidfd',
      'write own uid_map',
    ],
  },
  {
    case: 7,
    name: 'userns-ladder',
    expected: ['ok:stopped at step 1 (user namespace)'],
    actions: ['the ladder from a user namespace'],
  },
  {
    case: 8,
    name: 'mount',
    expected: refused,
    actions: [
      ...each('mount ', 'tmpfs proc sysfs cgroup cgroup2 overlay'),
      'bind mount',
      'remount the root writable',
      'remount /tmp with exec',
      'make / shared',
      'umount /proc/keys',
      'umount /workspace',
      'pivot_root',
      'chroot',
    ],
  },
  {
    case: 9,
    name: 'new-mount-api',
    expected: refused,
    actions: [
      'fsopen tmpfs',
      'fsopen ext4',
      'fsconfig',
      'fsmount',
      'fspick',
      'open_tree clone',
      'open_tree',
      'move_mount',
      'mount_setattr',
    ],
  },
  {
    case: 10,
    name: 'cgroup-write',
    // The directory is root's and mounted read-only: whichever the kernel looks at first. Not every file is there in version 2.
    expected: ['EACCES', 'EROFS', 'ENOENT'],
    actions: [
      'write the memory limit',
      'write the pids limit',
      'write the cpu limit',
      'write cgroup.procs',
      'write notify_on_release',
      'write release_agent',
      'make a cgroup',
      'make a directory in /sys/fs/cgroup',
    ],
  },
  {
    case: 12,
    name: 'ptrace-pid1',
    expected: refused,
    actions: [
      'ptrace ATTACH PID 1',
      'ptrace SEIZE PID 1',
      'ptrace TRACEME',
      'process_vm_readv of PID 1',
      'process_vm_writev to PID 1',
      'kcmp with PID 1',
      'pidfd_getfd of PID 1',
      'process_madvise PID 1',
    ],
  },
  { case: 13, name: 'ptrace-freeze', expected: ['exited:7'], actions: ['attach to PID 1 and exit'] },
  { case: 13, name: 'ptrace-freeze', expected: ['ok:running'], actions: ['state of PID 1'] },
  {
    case: 14,
    name: 'proc1-files',
    expected: hidden,
    actions: [
      ...each('read /proc/1/', 'mem environ maps smaps auxv exe io stack syscall personality pagemap map_files/'),
      'open /proc/1/mem for writing',
      ...each('follow /proc/1/', 'root cwd exe ns/mnt ns/net ns/pid fd/0'),
      ...each('readlink /proc/1/', 'root cwd exe ns/mnt ns/net ns/pid fd/0'),
      'list /proc/1/fd',
      'open /proc/1/root/etc/shadow',
      'chdir to /proc/1/cwd',
      ...each('write /proc/1/', 'oom_score_adj coredump_filter clear_refs comm'),
    ],
  },
  {
    case: 15,
    name: 'forge-frame',
    expected: hidden,
    actions: [...each('write a frame to /proc/1/fd/', '0 1 2 3 4 5 6 7'), 'write /proc/1/task/1/fd/1'],
  },
  // With an equal uid the kernel lets anybody set the limits of a process, dumpable or not: a payload could leave the
  // runner without files to open (it could no longer find what it has to kill) or let RLIMIT_CPU end it.
  { case: 16, name: 'pid1-limits', expected: refused, actions: ['set a limit of PID 1', 'set the cpu limit of PID 1'] },
  { case: 16, name: 'pid1-limits', expected: ['ok'], actions: ['set an own limit'] },
  {
    case: 16,
    name: 'pid1-share',
    expected: refused,
    actions: [
      'setpriority of PID 1',
      'setpriority of all with our uid',
      'setpriority of all with our uid by number',
      'ioprio_set of PID 1',
      'ioprio_set of all with our uid',
      'sched_setscheduler of PID 1',
      'sched_setparam of PID 1',
      'sched_setattr of PID 1',
      'sched_setaffinity of PID 1',
    ],
  },
  { case: 16, name: 'pid1-share', expected: ['ok'], actions: ['own priority, policy and CPUs'] },
  {
    case: 19,
    name: 'keyrings',
    expected: refused,
    actions: ['keyctl get session keyring', 'keyctl join session keyring', 'add_key', 'request_key'],
  },
  {
    case: 20,
    name: 'bpf-perf-uffd',
    expected: refused,
    actions: [
      'bpf map create',
      'bpf prog load',
      'perf_event_open',
      'userfaultfd 0',
      'userfaultfd UFFD_USER_MODE_ONLY',
      'fanotify_init',
      'lookup_dcookie',
    ],
  },
  { case: 20, name: 'bpf-perf-uffd', expected: absent, actions: ['open /dev/userfaultfd'] },
  { case: 21, name: 'io_uring', expected: refused, actions: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'] },
  {
    case: 22,
    name: 'kernel-admin',
    expected: refused,
    actions: [
      ...each(
        '',
        'init_module finit_module delete_module kexec_load kexec_file_load swapon swapoff acct settimeofday clock_settime',
      ),
      ...each('', 'adjtimex sethostname setdomainname quotactl reboot vhangup mbind memfd_secret'),
      'syslog read all',
      'syslog size',
      'move_pages of PID 1',
    ],
  },
  // Only x86 has these.
  { case: 22, name: 'kernel-admin', expected: ['EPERM', 'ENOSYS'], actions: ['iopl', 'ioperm', 'modify_ldt'] },
  {
    case: 22,
    name: 'kernel-admin',
    // Root's, mounted read-only, or not in this kernel.
    expected: ['EACCES', 'EROFS', 'ENOENT'],
    actions: [
      'write /proc/sysrq-trigger',
      ...each(
        'write /proc/sys/',
        'kernel/core_pattern kernel/modprobe kernel/hostname vm/overcommit_memory net/ipv4/ip_forward fs/file-max',
      ),
      ...each('write /proc/sys/', 'kernel/shmmax kernel/msgmax fs/mqueue/queues_max'),
      'write /sys/kernel/uevent_helper',
      'write /sys/kernel/mm/transparent_hugepage/enabled',
      'write /sys/power/state',
    ],
  },
  // Empty: nothing is mounted there.
  {
    case: 22,
    name: 'kernel-admin',
    expected: ['ok:0', 'ENOENT', 'EACCES'],
    actions: ['open /sys/kernel/debug', 'open /sys/kernel/tracing'],
  },
  // Not namespaced: what it tells is how busy the neighbours are.
  {
    case: 22,
    name: 'pressure',
    expected: ['EACCES', 'EPERM', 'ENOENT', 'EROFS', 'EOPNOTSUPP'],
    actions: ['register a pressure trigger'],
  },
  {
    case: 34,
    name: 'pressure',
    expected: ['ok:empty', 'EACCES', 'ENOENT', 'EOPNOTSUPP'],
    actions: ['watch the pressure on the machine'],
  },
  {
    case: 23,
    name: 'shocker',
    expected: refused,
    actions: ['name_to_handle_at', 'open_by_handle_at inode 2 of the host'],
  },
  {
    case: 24,
    name: 'devices',
    expected: refused,
    actions: [
      'mknod character 1:1',
      'mknod character 10:229',
      'mknod block 8:0',
      'mknod whiteout 0:0',
      'mknod in /dev',
    ],
  },
  { case: 24, name: 'devices', expected: ['ok'], actions: ['mknod fifo'] },
  {
    case: 24,
    name: 'devices',
    expected: absent,
    actions: [
      ...each(
        'open /dev/',
        'mem kmem port kmsg vda sda loop0 loop-control kvm fuse net/tun vhost-vsock vsock btrfs-control cpu/0/msr',
      ),
      ...each('open /dev/', 'mapper/control console tty0 tty1 ttyS0 snapshot rtc0 hpet uinput dri/card0'),
    ],
  },
  {
    case: 25,
    name: 'sockets',
    expected: refused,
    actions: [
      ...each('socket PACKET ', '3 2'),
      ...each('socket VSOCK ', '1 2 5'),
      'socket ALG 5',
      'socket TIPC 4',
      'socket RDS 5',
      'socket BLUETOOTH 3',
      'socket KEY 3',
      'socket CAN 3',
      'socket PPPOX 1',
      'socket AX25 2',
      'socket IPX 2',
      'socket X25 5',
      'socket RXRPC 2',
      'socket KCM 2',
      'socket QIPCRTR 2',
      'socket SMC 1',
      'socket XDP 3',
      'socket NFC 5',
      'socket CAIF 1',
      'socket PHONET 2',
      'socket IEEE802154 2',
      'socket MCTP 2',
      'socket INET RAW icmp',
      'socket INET6 RAW icmp6',
      'socket INET DGRAM icmp',
      'socket INET STREAM sctp',
      'socket INET STREAM mptcp',
      'socket INET DGRAM udplite',
      'socket INET dccp',
      ...each('netlink ', 'generic netfilter xfrm audit sock_diag kobject_uevent connector crypto rdma'),
      'socket VSOCK with upper bits',
      'socket INET RAW with upper bits',
      'socketpair VSOCK',
      'set an address through netlink',
    ],
  },
  {
    case: 25,
    name: 'sockets',
    expected: ['ok'],
    // The kernel takes the lower half, so the last one is a Unix socket.
    actions: [
      ...each('socket ', 'UNIX INET INET6').map((name) => `${name} STREAM`),
      'netlink route',
      'socket UNIX with upper bits of VSOCK',
    ],
  },
  { case: 27, name: 'sched', expected: hidden, actions: ['setpriority -5'] },
  {
    case: 27,
    name: 'sched',
    expected: refused,
    actions: [
      'SCHED_FIFO',
      'SCHED_RR',
      'SCHED_DEADLINE',
      'ioprio RT',
      ...each('raise RLIMIT_', 'NOFILE CORE MEMLOCK MSGQUEUE NICE RTPRIO'),
    ],
  },
  { case: 27, name: 'sched', expected: ['ENOMEM'], actions: ['mlockall beyond the limit'] },
  { case: 28, name: 'oom-adj', expected: hidden, actions: ['oom_score_adj -1000', 'oom_score_adj -1'] },
  // Refused where the engine has CAP_SYS_RESOURCE, which makes the score it sets the lowest; controls.md, "oom score".
  { case: 28, name: 'oom-adj', expected: ['ok', 'EACCES'], actions: ['oom_score_adj 0', 'oom_score_adj 499'] },
  { case: 28, name: 'oom-adj', expected: ['ok'], actions: ['oom_score_adj 1000'] },
  // By design: what can be written to /workspace can be executed there too.
  { case: 30, name: 'memfd-exec', expected: ['ok'], actions: ['memfd and execveat'] },
  { case: 31, name: 'noexec', expected: hidden, actions: ['execute from /tmp', 'execute from /dev/shm'] },
  {
    case: 31,
    name: 'noexec',
    expected: refused,
    actions: ['map executable from /tmp', 'map executable from /dev/shm'],
  },
  {
    case: 31,
    name: 'noexec',
    expected: ['ok'],
    actions: ['execute from /workspace', 'map executable from /workspace'],
  },
  // A message queue holds no file's content.
  { case: 31, name: 'noexec', expected: ['EINVAL', 'EACCES'], actions: ['execute from /dev/mqueue'] },
  {
    case: 32,
    name: 'rootfs-write',
    expected: ['ok:none'],
    actions: ['directories outside of scratch that can be written'],
  },
  {
    case: 32,
    name: 'rootfs-write',
    expected: ['EROFS', 'EACCES', 'ENOENT', 'EPERM', 'EBUSY'],
    actions: [
      ...each(
        'create in ',
        '/ /etc /usr /usr/local/bin /run /var /var/tmp /root /home /dev /dev/pts /sys /proc /.nanoclaw /opt /srv /mnt /media /sys/fs/cgroup',
      ),
      ...each(
        'append to ',
        '/etc/hosts /etc/passwd /etc/group /etc/resolv.conf /etc/hostname /etc/shadow /etc/ld.so.preload /usr/bin/python3.11',
      ),
      'rename /etc/hostname',
      'unlink /bin/true',
      'chmod /bin/true',
      'utime /bin/true',
    ],
  },
  { case: 32, name: 'rootfs-write', expected: ['ok'], actions: ['chmod /workspace'] },
  {
    case: 33,
    name: 'masked',
    // Empty, absent where the kernel lacks it, or root's alone.
    expected: ['ok:empty', 'ENOENT', 'EACCES'],
    actions: [
      ...each(
        'look at /proc/',
        'acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats cmdline config.gz kallsyms key-users',
      ),
      ...each('look at /proc/', 'kmsg kpagecount kpageflags vmallocinfo slabinfo'),
      ...each(
        'look at /sys/',
        'devices/virtual/powercap firmware kernel/notes kernel/vmcoreinfo devices/system/cpu/cpu0/thermal_throttle',
      ),
    ],
  },
  // A masked file is /dev/null: what is written there goes nowhere.
  {
    case: 33,
    name: 'masked',
    expected: ['ok', 'EACCES'],
    actions: ['write to a masked file', 'write to /proc/interrupts'],
  },
  {
    case: 35,
    name: 'engine-sockets',
    expected: absent,
    actions: [
      ...each(
        'engine socket ',
        '/var/run/docker.sock /run/docker.sock /run/podman/podman.sock /run/containerd/containerd.sock',
      ),
      ...each(
        'engine socket ',
        '/run/docker/containerd/containerd.sock /run/crio/crio.sock /run/buildkit/buildkitd.sock',
      ),
      ...each(
        'engine socket ',
        '/var/run/secrets/kubernetes.io/serviceaccount/token /run/systemd/private /run/dbus/system_bus_socket',
      ),
    ],
  },
  { case: 35, name: 'engine-sockets', expected: ['ok:none'], actions: ['sockets anywhere'] },
  {
    case: 38,
    name: 'tty',
    expected: refused,
    actions: [
      'TIOCSTI',
      'TIOCLINUX',
      'TIOCSTI with upper bits',
      'TIOCLINUX with upper bits',
      'TIOCSTI on an own terminal',
    ],
  },
  { case: 38, name: 'tty', expected: ['ENXIO', 'ENOENT'], actions: ['open /dev/tty'] },
  { case: 38, name: 'tty', expected: ['ENOTTY'], actions: ['an ordinary ioctl'] },
  {
    case: 41,
    name: 'CVE-2019-5736',
    expected: ['EACCES', 'ETXTBSY', 'EROFS'],
    actions: [
      'open /proc/self/exe for writing',
      'open /proc/1/exe for writing',
      'open the runner for writing',
      'truncate the runner',
    ],
  },
  {
    case: 41,
    name: 'CVE-2019-5736',
    // It is a mount point of its own, on a read-only root.
    expected: ['EROFS', 'EBUSY', 'EXDEV', 'EACCES', 'EPERM'],
    actions: ['replace the runner', 'remove the runner', 'link the runner'],
  },
  { case: 41, name: 'CVE-2019-5736', expected: ['ok:silent'], actions: ['run the runner again'] },
  { case: 41, name: 'CVE-2019-5736', expected: ['ok:exit 0'], actions: ['script whose interpreter is /proc/self/exe'] },
  { case: 46, name: 'CVE-2025-52881', expected: ['ok:none'], actions: ['mounts of the host that can be written'] },
  { case: 0, name: 'network', expected: ['ok:lo'], actions: ['interfaces'] },
  { case: 0, name: 'network', expected: ['ok:0'], actions: ['routes'] },
  { case: 0, name: 'network', expected: refused, actions: ['bring lo down'] },
  {
    case: 0,
    name: 'network',
    expected: ['ENETUNREACH'],
    actions: ['connect to 198.51.100.8:80', 'udp to 198.51.100.8:53', 'connect to 2001:db8::8'],
  },
  { case: 0, name: 'network', expected: ['ok'], actions: ['loopback works'] },
];
