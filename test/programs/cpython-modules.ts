/** What of CPython's own regression tests runs in a sandbox, and what doesn't, and why. */

/** Run always. All of them take about two minutes on one CPU, most of which test_subprocess, test_socket and test_selectors need. */
export const modules: readonly string[] = [
  ...[
    'test_json',
    'test_subprocess',
    'test_socket',
    'test_tempfile',
    'test_threading',
    'test_os',
    'test_posix',
    'test_shutil',
    'test_pathlib',
  ],
  ...[
    'test_fileio',
    'test_mmap',
    'test_select',
    'test_poll',
    'test_epoll',
    'test_selectors',
    'test_thread',
    'test_queue',
    'test_fcntl',
    'test_pty',
  ],
  ...[
    'test_resource',
    'test_pwd',
    'test_grp',
    'test_zlib',
    'test_hashlib',
    'test_struct',
    'test_re',
    'test_ctypes',
    'test_zipfile',
    'test_gzip',
  ],
  ...[
    'test_bz2',
    'test_lzma',
    'test_time',
    'test_random',
    'test_pickle',
    'test_httpservers',
    'test_httplib',
    'test_urllib',
    'test_platform',
  ],
  ...[
    'test_glob',
    'test_contextlib',
    'test_functools',
    'test_inspect',
    'test_uuid',
    'test_weakref',
    'test_gc',
    'test_cmd_line',
    'test_site',
  ],
  ...[
    'test_sys',
    'test_wait4',
    'test_fork1',
    'test_popen',
    'test_openpty',
    'test_dbm',
    'test_largefile',
    'test_posixpath',
    'test_stat',
  ],
  ...['test_getpass', 'test_file', 'test_builtin', 'test_exceptions', 'test_generators', 'test_dict', 'test_unicode'],
];

/** Half a minute to a minute and a half each: with NANOCLAW_LONG=1. */
export const longModules: readonly string[] = [
  ...[
    'test_asyncio',
    'test_multiprocessing_fork',
    'test_signal',
    'test_ssl',
    'test_io',
    'test_logging',
    'test_faulthandler',
    'test_tarfile',
  ],
  ...['test_datetime', 'test_unittest', 'test_shelve', 'test_runpy', 'test_memoryio'],
];

export interface Exclusion {
  readonly module: string;
  /** What is left out, as `python3 -m test --ignore` takes it. */
  readonly pattern: string;
  readonly why: string;
  /** What each of these tests fails with: that it really does is a test of its own. */
  readonly error: RegExp;
}

export const exclusions: readonly Exclusion[] = [
  {
    module: 'test_socket',
    pattern: '*UDPLITE*',
    why: 'UDP-Lite is not among the socket protocols that the seccomp profile allows',
    error: /^PermissionError: \[Errno 1\] Operation not permitted$/,
  },
  {
    module: 'test_socket',
    pattern: 'testGetServBy',
    why: 'the image has no /etc/services (Debian: netbase)',
    error: /^OSError: port\/proto not found$|^OSError$/,
  },
  {
    module: 'test_socket',
    pattern: 'testGetaddrinfo',
    why: 'the image has no /etc/services (Debian: netbase)',
    error: /^socket\.gaierror: \[Errno -8\] Servname not supported for ai_socktype$/,
  },
  {
    module: 'test_os',
    pattern: 'test_set_get_priority',
    why: 'a priority can be set for oneself (0) only: by number it could be that of the runner, which has the same uid',
    error: /^PermissionError: \[Errno 1\] Operation not permitted$/,
  },
  {
    module: 'test_resource',
    pattern: 'test_prlimit',
    why: 'a limit can be set for oneself (0) only: by number it could be that of the runner, which has the same uid',
    error: /^PermissionError: \[Errno 1\] Operation not permitted$/,
  },
  {
    module: 'test_pickle',
    pattern: 'test_unpickle_module_race',
    why: 'it writes a module into the directory of the standard library, which is read-only',
    error: /^OSError: \[Errno 30\] Read-only file system: /,
  },
  {
    module: 'test_ctypes',
    pattern: 'test_find_library_with_*',
    why: 'the image has neither gcc nor ld',
    error: /^AssertionError: None == None$/,
  },
];

export const longExclusions: readonly Exclusion[] = [
  ...[
    ...['test_run_module', 'test_run_module_alter_sys', 'test_run_module_in_namespace_package', 'test_run_name'],
    ...['test_run_package', 'test_run_package_alter_sys', 'test_run_package_in_namespace_package'],
    ...['test_run_namespace_package', 'test_run_namespace_package_in_namespace_package'],
  ].map((pattern) => ({
    module: 'test_runpy',
    pattern,
    why: 'it writes a module into the directory of the standard library, which is read-only',
    error: /^OSError: \[Errno 30\] Read-only file system: /,
  })),
  {
    module: 'test_asyncio',
    pattern: 'test_create_connection_service_name',
    why: 'the image has no /etc/services (Debian: netbase)',
    error: /^socket\.gaierror: \[Errno -8\] Servname not supported for ai_socktype$/,
  },
];

/** Whole modules that can't run, and what comes of them. */
export const absentModules: readonly { readonly module: string; readonly why: string; readonly error: RegExp }[] = [
  {
    module: 'test_sqlite3',
    why: "Debian's package of the tests leaves it out; sqlite itself is tried by a test of our own",
    error: /ModuleNotFoundError: No module named 'test\.test_sqlite3'/,
  },
  {
    module: 'test_ioctl',
    why: 'a command has no terminal unless it is asked for',
    error: /test_ioctl skipped -- Unable to open \/dev\/tty/,
  },
  {
    module: 'test_socketserver',
    why: 'it asks for the resource "network", as does what would go out to the internet',
    error: /test_socketserver skipped \(resource denied\)|network/,
  },
];

/** Reasons for which single tests skip themselves because of what a sandbox is. All other reasons are of the platform or the image. */
export const sandboxSkips: readonly RegExp[] = [
  /^(AF_ALG|VSOCK sockets|RDS sockets|QIPCRTR sockets|Bluetooth sockets|SocketCan|CAN ISOTP|CAN J1939) required/,
  /^TIPC module is not loaded/,
  /^can't create socket\(AF_INET, SOCK_STREAM, IPPROTO_SCTP\): \[Errno 1\] Operation not permitted$/,
  /^not enough privileges$/,
  /^test (should be run as root|needs root privilege and more than one user|needs at least 2 groups)$/,
  /^requires (CAP_DAC_OVERRIDE|write access to the installed location)$/,
  /^\[Errno 1\] Operation not permitted$/,
  /^stdin (and stdout )?must be /,
  /^(not on tty|stty invocation failed|failed to query terminal size|test requires a tty and either Windows or nl_langinfo\(CODESET\))$/,
];
