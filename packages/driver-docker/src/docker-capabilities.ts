import {
  type ControlName,
  type ControlSupport,
  controlNames,
  createError,
  type EngineMount,
  type Evidence,
  type RuntimeCapabilities,
  type Support,
  type Unsupported,
} from '@nanoclaw/core';
import { compareVersions } from './docker-api.ts';
import type { DockerEndpoint } from './docker-connect.ts';
import type { DockerEngine } from './docker-engine.ts';
import { gvisorRuntime, toGvisorControls } from './docker-gvisor.ts';
import { unsupported } from './docker-support.ts';

export interface DockerCapabilityOptions {
  /** The OCI runtime that containers are asked to run under; `undefined` is the engine's default. */
  readonly ociRuntime: string | undefined;
}

const supported: Support = { supported: true };

/** Where a control's proof comes from when Docker enforces it. */
const evidence = {
  user: 'inside',
  capabilities: 'inside',
  'no-new-privileges': 'inside',
  seccomp: 'inside',
  'read-only-root': 'inside',
  scratch: 'inside',
  mounts: 'inside',
  'masked-paths': 'inside',
  devices: 'inside',
  memory: 'inside',
  swap: 'inside',
  cpu: 'inside',
  'cpu-shares': 'inside',
  pids: 'inside',
  'open-files': 'inside',
  'core-dumps': 'inside',
  network: 'inside',
  'pid-namespace': 'inside',
  'cgroup-namespace': 'inside',
  'image-config': 'inside',
  'uts-namespace': 'inside',
  isolation: 'inside',
  // It looks the same from inside whether it is ours or the host's.
  'ipc-namespace': 'engine',
  'output-log': 'engine',
  removal: 'engine',
} as const satisfies Record<ControlName, Evidence>;

/** Says what an engine enforces, from what it tells about itself. */
export function toDockerCapabilities(
  engine: DockerEngine,
  endpoint: DockerEndpoint,
  options: DockerCapabilityOptions,
): RuntimeCapabilities {
  const { info, version } = engine;
  const isolation = toIsolation(engine, options);
  return {
    product: engine.isPodman ? 'Podman' : 'Docker Engine',
    version: version.Version ?? 'unknown',
    details: toDetails(engine, endpoint),
    architecture: toArchitecture(engine),
    cpuCount: Math.max(1, info.NCPU ?? 1),
    memoryBytes: info.MemTotal ?? 0,
    sharesFiles: engine.sharesFiles,
    engineSockets: endpoint.transport.kind === 'unix' ? [endpoint.transport.path] : [],
    userRange: isRemapped(engine) ? { first: 20_000, count: 40_000 } : { first: 1_879_048_192, count: 65_536 },
    controls: toControls(engine, isolation['shared-kernel'], options),
    isolation,
    isolationControls: { gvisor: toGvisorControls(info) },
    networks: {
      none: supported,
      fenced: unsupported(
        'Docker gives a container no interface at all, so there is nothing to fence.',
        "Ask for the network tier 'none', which is stronger.",
      ),
    },
    build: supported,
    engineMounts: toEngineMounts(engine),
    engineInterfaces: [],
    engineDevices: ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts/ptmx'].map(
      (name) => `/dev/${name}`,
    ),
    warnings: toWarnings(engine, endpoint, options),
  };
}

/** Why Podman is refused here, in one place. */
export function podmanRefusal(version: string | undefined): Unsupported {
  return unsupported(
    `the engine is Podman ${version ?? ''} behind a Docker-compatible socket, which takes no seccomp profile, adds writable mounts to a read-only root and drops limits it can't set without a warning.`,
    "Use NanoClaw's podman driver, which speaks Podman's own API (where your version has it), or point DOCKER_HOST at a Docker engine.",
  );
}

function toControls(
  engine: DockerEngine,
  runtime: Support,
  options: DockerCapabilityOptions,
): Record<ControlName, ControlSupport> {
  const { info } = engine;
  const gvisor = options.ociRuntime === gvisorRuntime ? toGvisorControls(info) : {};
  const limits: Partial<Record<ControlName, boolean>> = {
    memory: info.MemoryLimit === true,
    swap: info.SwapLimit === true,
    pids: info.PidsLimit === true,
    cpu: info.CpuCfsQuota === true && info.CpuCfsPeriod === true,
    'cpu-shares': info.CPUShares === true,
  };
  const support = (control: ControlName): ControlSupport => {
    if (limits[control] === false) return missingLimit(engine, control);
    if (engine.isPodman && (control === 'seccomp' || control === 'read-only-root' || control in limits))
      return podmanRefusal(engine.version.Version);
    if (control === 'seccomp' && !hasSecurityOption(engine, 'seccomp')) {
      return unsupported(
        'the engine reports no seccomp support.',
        'Use a kernel with CONFIG_SECCOMP_FILTER and a Docker built with seccomp.',
      );
    }
    if (control === 'isolation' && !runtime.supported) return runtime;
    return gvisor[control] ?? { supported: true, evidence: evidence[control] };
  };
  return Object.fromEntries(controlNames.map((name) => [name, support(name)])) as Record<ControlName, ControlSupport>;
}

function missingLimit(engine: DockerEngine, control: ControlName): Unsupported {
  const version = engine.info.CgroupVersion ?? '1';
  if (hasSecurityOption(engine, 'rootless')) {
    return version === '1'
      ? unsupported(
          `rootless Docker can't limit ${control} on cgroup v1.`,
          'Boot the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or use Docker as root.',
        )
      : unsupported(
          `the cgroup controller for ${control} is not delegated to this user.`,
          'Delegate it: put "[Service]\\nDelegate=cpu cpuset io memory pids" into /etc/systemd/system/user@.service.d/delegate.conf, then log in again.',
        );
  }
  const cures: Partial<Record<ControlName, string>> = {
    memory: 'Boot the host with cgroup_enable=memory, or use cgroup v2.',
    swap: 'Boot the host with swapaccount=1, or use cgroup v2.',
    pids: 'Use a kernel with CONFIG_CGROUP_PIDS and mount its controller.',
    cpu: 'Use a kernel with CONFIG_CFS_BANDWIDTH and mount the cpu controller.',
    'cpu-shares': 'Mount the cpu controller (cgroup v1), or enable it in cgroup.subtree_control (cgroup v2).',
  };
  return unsupported(
    `the engine reports that this host (cgroup v${version}) can't limit ${control}.`,
    cures[control] ?? 'Use cgroup v2.',
  );
}

function toIsolation(engine: DockerEngine, { ociRuntime }: DockerCapabilityOptions): RuntimeCapabilities['isolation'] {
  const registered = Object.keys(engine.info.Runtimes ?? {});
  const known = ociRuntime === undefined || registered.includes(ociRuntime) || ociRuntime.startsWith('io.containerd.');
  const list = registered.join(', ') || 'none';
  if (!known) {
    const missing = unsupported(
      `the OCI runtime ${JSON.stringify(ociRuntime)} is not registered with the engine (it has: ${list}).`,
      `Register it under "runtimes" in the engine's daemon.json and restart the engine, or choose one of: ${list}.`,
    );
    return { 'shared-kernel': missing, 'user-namespace': missing, gvisor: missing, microvm: missing };
  }
  return {
    'shared-kernel': supported,
    'user-namespace': isRemapped(engine)
      ? supported
      : unsupported(
          'the engine runs containers in its own user namespace: Docker can remap users for the whole engine only.',
          'Set "userns-remap": "default" in the engine\'s daemon.json and restart it, or use rootless Docker.',
        ),
    gvisor: registered.includes(gvisorRuntime)
      ? supported
      : unsupported(
          `no OCI runtime named ${gvisorRuntime} is registered with the engine (it has: ${list}).`,
          "Install gVisor (https://gvisor.dev/docs/user_guide/install/), run 'sudo runsc install' and restart Docker.",
        ),
    microvm: unsupported(
      'this driver does not verify virtual machines: from inside, nothing shows that there is one.',
      "Use 'gvisor' here, or the kubernetes driver with a RuntimeClass for Kata Containers once it exists.",
    ),
  };
}

function toArchitecture(engine: DockerEngine): 'amd64' | 'arm64' {
  const name = engine.version.Arch ?? engine.info.Architecture ?? 'unknown';
  if (name === 'amd64' || name === 'x86_64') return 'amd64';
  if (name === 'arm64' || name === 'aarch64') return 'arm64';
  throw createError(
    'NOT_SUPPORTED',
    `NanoClaw's runner is built for amd64 and arm64, the engine's architecture is ${name}. Use an engine on one of these.`,
  );
}

function toDetails(engine: DockerEngine, endpoint: DockerEndpoint): Record<string, string> {
  const { info, version } = engine;
  const entries: readonly (readonly [string, string | undefined])[] = [
    ['endpoint', endpoint.address],
    ['endpointSource', endpoint.source],
    ['api', engine.apiVersion],
    ['platform', version.Platform?.Name],
    ['runc', component(engine, 'runc')],
    ['containerd', component(engine, 'containerd')],
    ['kernel', version.KernelVersion ?? info.KernelVersion],
    ['os', info.OperatingSystem],
    ['storage', info.Driver],
    ['cgroup', `v${info.CgroupVersion ?? '1'} (${info.CgroupDriver ?? 'unknown'})`],
    ['security', (info.SecurityOptions ?? []).map((option) => option.replace(/^name=/, '')).join(' ')],
    ['ociRuntimes', Object.keys(info.Runtimes ?? {}).join(' ')],
  ];
  return Object.fromEntries(
    entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

/** On cgroup v1 each controller is a mount of its own, and which there are is the host's affair. */
const cgroupV1Controllers = [
  'blkio',
  'cpu',
  'cpuacct',
  'cpu,cpuacct',
  'cpuset',
  'devices',
  'freezer',
  'hugetlb',
  'memory',
  'misc',
  'net_cls',
  'net_prio',
  'net_cls,net_prio',
  'perf_event',
  'pids',
  'rdma',
  'systemd',
  'unified',
  'openrc',
  'elogind',
] as const;

function toEngineMounts({ info }: DockerEngine): EngineMount[] {
  const mount = (target: string, types: readonly string[], writable = false): EngineMount => ({
    target,
    types,
    writable,
  });
  const cgroup =
    info.CgroupVersion === '2'
      ? [mount('/sys/fs/cgroup', ['cgroup2'])]
      : [
          mount('/sys/fs/cgroup', ['tmpfs'], true),
          ...cgroupV1Controllers.map((name) => mount(`/sys/fs/cgroup/${name}`, ['cgroup', 'cgroup2'])),
        ];
  return [
    mount('/proc', ['proc'], true),
    mount('/dev', ['tmpfs'], true),
    mount('/dev/pts', ['devpts'], true),
    mount('/dev/mqueue', ['mqueue'], true),
    mount('/dev/shm', ['tmpfs'], true),
    mount('/sys', ['sysfs']),
    ...cgroup,
    // Files of the engine's own disk. Docker mounts them read-only where the root filesystem is, and leaves the last two out
    // where networking is disabled.
    mount('/etc/hostname', []),
    mount('/etc/hosts', []),
    mount('/etc/resolv.conf', []),
  ];
}

function toWarnings(engine: DockerEngine, endpoint: DockerEndpoint, { ociRuntime }: DockerCapabilityOptions): string[] {
  const warnings: string[] = [];
  const runc = component(engine, 'runc');
  const usesRunc = (ociRuntime ?? engine.info.DefaultRuntime ?? 'runc').includes('runc');
  if (usesRunc && runc !== undefined && isVulnerableRunc(runc)) {
    warnings.push(
      `runc ${runc} is older than 1.2.8 / 1.3.3, which fix container escapes (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881). ` +
        'Upgrade runc, unless your distribution has patched this version.',
    );
  }
  if (endpoint.transport.kind === 'tcp' && endpoint.transport.tls === undefined) {
    warnings.push(
      `The engine at ${endpoint.address} is spoken to without TLS: whoever reaches that port is root on its host. Use TLS or ssh://.`,
    );
  }
  if (endpoint.transport.kind === 'tcp' && endpoint.transport.tls?.verify === false) {
    warnings.push(`The certificate of the engine at ${endpoint.address} is not verified. Set DOCKER_TLS_VERIFY=1.`);
  }
  if (hasSecurityOption(engine, 'selinux')) {
    warnings.push(
      'SELinux labels are left to the engine: whether its policy lets a sandbox read what is mounted shows only when it starts.',
    );
  }
  if (engine.isPodman) warnings.push(`Sandboxes are not started here: ${podmanRefusal(engine.version.Version).reason}`);
  return warnings;
}

/** Below the fixes of November 2025, per release branch. */
export function isVulnerableRunc(version: string): boolean {
  if (compareVersions(version, '1.2.8') < 0) return true;
  if (compareVersions(version, '1.3') >= 0 && compareVersions(version, '1.3.3') < 0) return true;
  const candidate = /^1\.4\.0-rc\.?(\d+)/.exec(version)?.[1];
  return candidate !== undefined && Number(candidate) < 3;
}

function component(engine: DockerEngine, name: string): string | undefined {
  return (engine.version.Components ?? []).find((entry) => entry.Name === name)?.Version;
}

function hasSecurityOption(engine: DockerEngine, name: string): boolean {
  return (engine.info.SecurityOptions ?? []).some(
    (option) => option === `name=${name}` || option.startsWith(`name=${name},`),
  );
}

/** Whether uid 0 inside is somebody else outside. */
function isRemapped(engine: DockerEngine): boolean {
  return hasSecurityOption(engine, 'userns') || hasSecurityOption(engine, 'rootless');
}
