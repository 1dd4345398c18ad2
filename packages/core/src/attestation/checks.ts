import type { RunnerReport } from '../protocol/messages.ts';
import type { ControlName } from '../runtime/controls.ts';
import type { Check, Finding } from './attestation.ts';
import { checkMounts, checkScratch } from './mount-checks.ts';
import { parseMountInfo } from './mount-info.ts';

/** Calls that must fail inside, by the runner's names for them, and the errors that prove a refusal. */
const refusals: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'EACCES']);
/** Probes that say something about the whole of the profile; a missing one is a difference. */
export const requiredProbes = [
  'unshare-user',
  'unshare-mount',
  'clone3-user',
  'setns',
  'mount',
  'umount',
  'pivot_root',
  'chroot',
  'fsopen',
  'open_tree',
  'move_mount',
  'ptrace',
  'process_vm_readv',
  'keyctl',
  'add_key',
  'request_key',
  'bpf',
  'perf_event_open',
  'userfaultfd',
  'io_uring_setup',
  'open_by_handle_at',
  'name_to_handle_at',
  'init_module',
  'kexec_load',
  'swapon',
  'acct',
  'settimeofday',
  'sethostname',
  'quotactl',
  'syslog',
  'mknod-device',
  'socket-packet',
  'socket-raw',
  'socket-vsock',
  'socket-alg',
  'socket-tipc',
  'socket-rds',
  'socket-bluetooth',
  'socket-netlink-netfilter',
  'setuid-0',
  'setgid-0',
  'capset',
  'tiocsti',
] as const;

/** gVisor shows what came with the start as `host:[n]`. */
const openTargets = /^(pipe|socket|anon_inode|host):|^\/dev\/null$/;

/** What lies behind the usual names (Documentation/admin-guide/devices.txt of the kernel). */
const usualDevices: Readonly<Record<string, string>> = {
  '/dev/null': 'character 1:3',
  '/dev/zero': 'character 1:5',
  '/dev/full': 'character 1:7',
  '/dev/random': 'character 1:8',
  '/dev/urandom': 'character 1:9',
  '/dev/tty': 'character 5:0',
  '/dev/ptmx': 'character 5:2',
  '/dev/pts/ptmx': 'character 5:2',
};

function equal(expected: string | number, found: string | number | null): Finding {
  return {
    expected: String(expected),
    found: found === null ? 'unlimited' : String(found),
    matches: expected === found,
  };
}

function none(what: string, offenders: readonly string[]): Finding {
  return {
    expected: `no ${what}`,
    found: offenders.length === 0 ? `no ${what}` : offenders.join(', '),
    matches: offenders.length === 0,
  };
}

/** One way to prove each control from inside; a control without an entry is proved by the engine's inspect alone. */
export const checks: Partial<Readonly<Record<ControlName, Check>>> = {
  user: ({ spec, report }) => {
    const found = `uid ${[...new Set(report.uids)]} gid ${[...new Set(report.gids)]} groups ${report.groups.filter((group) => group !== spec.user.gid)}`;
    return equal(`uid ${spec.user.uid} gid ${spec.user.gid} groups `, found);
  },
  capabilities: ({ report }) =>
    none(
      'capability',
      Object.entries(report.capabilities)
        .filter(([, mask]) => mask !== '0000000000000000')
        .map(([set, mask]) => `${set} ${mask}`),
    ),
  'no-new-privileges': ({ report }) => equal('set', report.noNewPrivileges ? 'set' : 'not set'),
  seccomp: ({ report }) => {
    const allowed = requiredProbes
      .filter((name) => !refusals.has(report.probes[name] ?? 'not probed'))
      .map((name) => `${name}: ${report.probes[name] ?? 'not probed'}`);
    const mode = report.seccompMode === 2 ? 'filter' : `mode ${report.seccompMode}`;
    return equal(
      `filter, ${requiredProbes.length} forbidden calls refused`,
      `${mode}, ${allowed.length === 0 ? `${requiredProbes.length} forbidden calls refused` : `allowed ${allowed.join(', ')}`}`,
    );
  },
  'read-only-root': ({ report }) => {
    const root = parseMountInfo(report.mountInfo).findLast((entry) => entry.target === '/');
    const mounted = root?.readOnly ? 'mounted read-only' : 'mounted writable';
    // EACCES alone proves nothing: a user who isn't root may not write to a writable root either.
    const refused = report.rootWrite === 'EACCES' ? 'EACCES' : 'EROFS';
    return equal(`${refused}, mounted read-only`, `${report.rootWrite}, ${mounted}`);
  },
  scratch: checkScratch,
  mounts: (context) => {
    const mounts = checkMounts(context);
    const leaked = context.report.openFiles.filter((file) => !openTargets.test(file.target));
    if (!mounts.matches || leaked.length === 0) return mounts;
    return none(
      'file of the engine left open',
      leaked.map((file) => `fd ${file.fd} ${file.target}`),
    );
  },
  'masked-paths': ({ spec, report }) => {
    const found = (path: string): string => report.maskedPaths[path] ?? 'not looked at';
    const readable = spec.maskedPaths
      .filter((path) => !['absent', 'empty', 'unreadable'].includes(found(path)))
      .map((path) => `${path} ${found(path)}`);
    const mounts = parseMountInfo(report.mountInfo);
    const writable = spec.readOnlyPaths
      .filter((path) => found(path) !== 'absent' && !mounts.findLast((entry) => entry.target === path)?.readOnly)
      .map((path) => `${path} not read-only`);
    return none('readable masked path, nor a writable read-only one', [...readable, ...writable]);
  },
  devices: ({ report, capabilities }) => {
    const known = new Set(capabilities.engineDevices);
    const isUsual = ({ path, type, major, minor }: RunnerReport['devices'][number]): boolean =>
      known.has(path) && `${type} ${major}:${minor}` === (usualDevices[path] ?? `${type} ${major}:${minor}`);
    return none(
      'device beside the usual',
      report.devices
        .filter((device) => (device.type === 'character' || device.type === 'block') && !isUsual(device))
        .map((device) => `${device.path} (${device.type} ${device.major}:${device.minor})`),
    );
  },
  memory: ({ spec, report }) => equal(spec.memoryBytes, report.cgroup.memoryMaxBytes),
  swap: ({ report }) => equal(0, report.cgroup.swapMaxBytes),
  cpu: ({ spec, report }) => {
    const { cpuQuotaUs, cpuPeriodUs } = report.cgroup;
    const millis = cpuQuotaUs === null || !cpuPeriodUs ? null : Math.round((cpuQuotaUs / cpuPeriodUs) * 1_000);
    return equal(spec.cpuMillis, millis);
  },
  'cpu-shares': ({ spec, report }) => {
    if (report.cgroup.version === 1) return equal(spec.cpuShares, report.cgroup.cpuShares);
    const weights = cgroup2Weights(spec.cpuShares);
    const found = report.cgroup.cpuWeight;
    return {
      expected: `weight ${weights.join(' or ')}`,
      found: `weight ${found ?? 'none'}`,
      matches: found !== null && weights.includes(found),
    };
  },
  pids: ({ spec, report }) => equal(spec.pids, report.cgroup.pidsMax),
  'open-files': ({ spec, report }) =>
    equal(`${spec.openFiles},${spec.openFiles}`, String(report.rlimits.nofile ?? 'not reported')),
  'core-dumps': ({ report }) => equal('0,0', String(report.rlimits.core ?? 'not reported')),
  network: ({ report, capabilities }) => {
    const extra = report.interfaces
      .filter((entry) => !entry.loopback && !capabilities.engineInterfaces.includes(entry.name))
      .map((entry) => `interface ${entry.name}`);
    if (report.routes4 > 0) extra.push(`${report.routes4} IPv4 routes`);
    if (report.routes6 > 0) extra.push(`${report.routes6} IPv6 routes`);
    return { ...none('interface but loopback', extra), expected: 'loopback alone, no route' };
  },
  'pid-namespace': ({ report }) => equal('runner is pid 1', `runner is pid ${report.pid}`),
  'uts-namespace': ({ spec, report }) => equal(spec.hostname, report.hostname),
  'cgroup-namespace': ({ report }) => equal('/', [...new Set(report.cgroup.paths)].join(', ')),
  isolation: ({ spec, report }) => {
    const identity = /^\s*0\s+0\s+4294967295\s*$/.test(report.uidMap);
    const found = identity ? 'shared-kernel' : 'user-namespace';
    if (spec.isolation === 'shared-kernel') return { expected: 'shared-kernel or stronger', found, matches: true };
    if (spec.isolation === 'user-namespace') return equal('user-namespace', found);
    return {
      expected: spec.isolation,
      found: `kernel ${report.kernel}`,
      matches: spec.isolation !== 'gvisor' || report.kernel === '4.4.0',
    };
  },
  'image-config': ({ spec, report }) => {
    const known = new Set([...Object.keys(spec.env), 'HOSTNAME', 'HOME', 'PATH', 'container']);
    return none(
      'variable of the image',
      report.environmentNames.filter((name) => !known.has(name)),
    );
  },
};

/** What runc and crun make of cpu shares on cgroup v2: the old linear formula, and the one since 2025. */
function cgroup2Weights(shares: number): readonly number[] {
  const linear = 1 + Math.floor(((shares - 2) * 9_999) / 262_142);
  const log = Math.log2(shares);
  const curved = Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
  return [...new Set([linear, curved])];
}
