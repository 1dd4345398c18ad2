/** Some system calls that are denied, and why. */
export interface DeniedGroup {
  readonly reason: string;
  readonly names: readonly string[];
}

/**
 * What is denied with EPERM, by reason. The profile doesn't need this list, since everything that isn't allowed is
 * denied; people do, and so does the test that every system call has been decided about.
 */
export const deniedSyscalls: readonly DeniedGroup[] = [
  {
    reason: 'namespaces: each one opens kernel code that only root reached before (CVE-2022-0185, CVE-2022-0492)',
    names: ['setns', 'unshare'],
  },
  {
    reason: 'mounts and roots: the file system is decided before the sandbox starts',
    names: [
      'chroot',
      'fsconfig',
      'fsmount',
      'fsopen',
      'fspick',
      'mount',
      'mount_setattr',
      'move_mount',
      'open_tree',
      'pivot_root',
      'umount',
      'umount2',
    ],
  },
  {
    reason: 'file handles get round directories (the "shocker" escape)',
    names: ['name_to_handle_at', 'open_by_handle_at'],
  },
  {
    reason:
      "io_uring does files and sockets without the calls that are filtered here, and half of the kernel's recent exploits",
    names: ['io_uring_enter', 'io_uring_register', 'io_uring_setup'],
  },
  {
    reason: "other processes' memory and descriptors",
    names: [
      'kcmp',
      'pidfd_getfd',
      'process_madvise',
      'process_mrelease',
      'process_vm_readv',
      'process_vm_writev',
      'ptrace',
    ],
  },
  { reason: 'keyrings are not namespaced', names: ['add_key', 'keyctl', 'request_key'] },
  {
    reason: 'programs and probes in the kernel, and page faults held open, which make races in it winnable',
    names: ['bpf', 'fanotify_init', 'fanotify_mark', 'lookup_dcookie', 'perf_event_open', 'userfaultfd'],
  },
  {
    reason: 'loading code into the kernel, replacing or ending it',
    names: [
      'create_module',
      'delete_module',
      'finit_module',
      'get_kernel_syms',
      'init_module',
      'kexec_file_load',
      'kexec_load',
      'query_module',
      'reboot',
    ],
  },
  {
    reason: "the machine's own settings",
    names: [
      'acct',
      'adjtimex',
      'clock_adjtime',
      'clock_settime',
      'ioperm',
      'iopl',
      'quotactl',
      'quotactl_fd',
      'setdomainname',
      'sethostname',
      'settimeofday',
      'swapoff',
      'swapon',
      'syslog',
      'vhangup',
    ],
  },
  {
    reason:
      'placing memory on nodes: for tuning of whole machines; libnuma takes the refusal for a machine without nodes',
    names: ['get_mempolicy', 'mbind', 'migrate_pages', 'move_pages', 'set_mempolicy', 'set_mempolicy_home_node'],
  },
  {
    reason:
      'rarely used and often broken: segments of 16-bit code, pages given away, secret memory, nonlinear mappings',
    names: ['memfd_secret', 'modify_ldt', 'remap_file_pages', 'vmsplice'],
  },
  {
    reason: 'obsolete or never built',
    names: [
      '_sysctl',
      'afs_syscall',
      'epoll_ctl_old',
      'epoll_wait_old',
      'get_thread_area',
      'getpmsg',
      'nfsservctl',
      'putpmsg',
      'security',
      'set_thread_area',
      'sysfs',
      'tuxcall',
      'uselib',
      'ustat',
      'vserver',
    ],
  },
];

/**
 * Denied with ENOSYS, as if the kernel were older, since programs fall back for that and not for EPERM. clone3 has its
 * flags in memory, where no filter can look; the others say nothing that isn't in `/proc` or given by an older call.
 */
export const absentSyscalls: readonly string[] = [
  'clone3',
  'file_getattr',
  'file_setattr',
  'listmount',
  'lsm_get_self_attr',
  'lsm_list_modules',
  'lsm_set_self_attr',
  'open_tree_attr',
  'statmount',
];
