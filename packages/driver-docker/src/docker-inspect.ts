import { createHash } from 'node:crypto';
import { type ControlDifference, type ControlName, createError, type NanoclawError } from '@nanoclaw/core';
import { oneLine } from './docker-error.ts';
import type { DockerCreateBody, DockerHostConfig, DockerMount } from './docker-spec.ts';

/** `GET /containers/ID/json`, as far as it is compared. Nothing in it is taken for granted. */
export interface DockerInspect {
  readonly Image?: unknown;
  readonly Config?: Readonly<Record<string, unknown>> | null;
  readonly HostConfig?: Readonly<Record<string, unknown>> | null;
  readonly Mounts?: readonly DockerMountPoint[] | null;
}

export interface DockerMountPoint {
  readonly Type?: string;
  readonly Name?: string;
  readonly Source?: string;
  readonly Destination?: string;
  readonly RW?: boolean;
  readonly Propagation?: string;
}

/** Which control each field that we send is about. A field without a line here does not compile. */
const hostConfigControls = {
  CapAdd: 'capabilities',
  CapDrop: 'capabilities',
  SecurityOpt: 'seccomp',
  Privileged: 'capabilities',
  ReadonlyRootfs: 'read-only-root',
  Tmpfs: 'scratch',
  MaskedPaths: 'masked-paths',
  ReadonlyPaths: 'masked-paths',
  PidMode: 'pid-namespace',
  IpcMode: 'ipc-namespace',
  UTSMode: 'uts-namespace',
  UsernsMode: 'isolation',
  CgroupnsMode: 'cgroup-namespace',
  NetworkMode: 'network',
  PublishAllPorts: 'network',
  ShmSize: 'scratch',
  Memory: 'memory',
  MemorySwap: 'swap',
  MemoryReservation: 'memory',
  OomKillDisable: 'memory',
  OomScoreAdj: 'memory',
  CpuPeriod: 'cpu',
  CpuQuota: 'cpu',
  CpuShares: 'cpu-shares',
  PidsLimit: 'pids',
  Ulimits: 'open-files',
  Devices: 'devices',
  DeviceRequests: 'devices',
  DeviceCgroupRules: 'devices',
  GroupAdd: 'user',
  Binds: 'mounts',
  VolumesFrom: 'mounts',
  Mounts: 'mounts',
  Sysctls: 'isolation',
  Init: 'image-config',
  AutoRemove: 'removal',
  RestartPolicy: 'removal',
  LogConfig: 'output-log',
  Runtime: 'isolation',
} as const satisfies Record<keyof DockerHostConfig, ControlName>;

const configControls = {
  Image: 'image-config',
  Hostname: 'uts-namespace',
  Domainname: 'uts-namespace',
  User: 'user',
  Env: 'image-config',
  WorkingDir: 'image-config',
  Entrypoint: 'image-config',
  Cmd: 'image-config',
  Labels: 'removal',
  Healthcheck: 'image-config',
  StopSignal: 'removal',
  StopTimeout: 'removal',
  AttachStdin: 'removal',
  AttachStdout: 'output-log',
  AttachStderr: 'output-log',
  OpenStdin: 'removal',
  StdinOnce: 'removal',
  Tty: 'output-log',
  NetworkDisabled: 'network',
} as const satisfies Record<Exclude<keyof DockerCreateBody, 'HostConfig'>, ControlName>;

/** What we don't send and an engine must not have put there: each empty, zero or absent. */
const mustBeEmpty = {
  NanoCpus: 'cpu',
  CpuRealtimePeriod: 'cpu',
  CpuRealtimeRuntime: 'cpu',
  PortBindings: 'network',
  ExtraHosts: 'network',
  Links: 'network',
  VolumeDriver: 'mounts',
  Cgroup: 'cgroup-namespace',
  CgroupParent: 'cgroup-namespace',
  StorageOpt: 'read-only-root',
} as const satisfies Record<string, ControlName>;

/**
 * Compares what was asked with what the engine says it made, field by field, since Docker takes misspelt fields, zeros and
 * unsupported settings without a word. An empty answer is a container that is what it should be.
 */
export function compareDockerInspect(asked: DockerCreateBody, found: DockerInspect): ControlDifference[] {
  const differences: ControlDifference[] = [];
  const compare = (control: ControlName, name: string, expected: unknown, actual: unknown): void => {
    const [left, right] = [normalize(name, expected), normalize(name, actual)];
    if (left !== right)
      differences.push({
        control: refine(control, name, left, right),
        expected: show(name, left),
        found: show(name, right),
      });
  };
  const hostConfig = found.HostConfig ?? {};
  const config = found.Config ?? {};

  for (const [name, control] of Object.entries(hostConfigControls)) {
    const expected = Reflect.get(asked.HostConfig, name);
    // Unset is the engine's default runtime.
    if (name !== 'Runtime' || expected !== undefined) compare(control, name, expected, hostConfig[name]);
  }
  for (const [name, control] of Object.entries(mustBeEmpty)) compare(control, name, undefined, hostConfig[name]);
  for (const [name, control] of Object.entries(configControls)) {
    // An image adds its own labels to a container's, and there is no way to stop it: ours must be there as asked.
    const actual = name === 'Labels' ? pick(config[name], Object.keys(asked.Labels)) : config[name];
    const expected = Reflect.get(asked, name);
    if (name === 'Env') compare(control, name, assignments(expected), assignments(actual));
    else compare(control, name, expected, actual);
  }
  compare('image-config', 'Image id', asked.Image, found.Image);
  compare(
    'mounts',
    'Mounts in effect',
    asked.HostConfig.Mounts.map(toMountPoint),
    (found.Mounts ?? []).map(pickMountPoint),
  );
  return differences;
}

/** The controls that a warning of a create call is about, by its words; `undefined` where they say nothing known. */
export function controlOfWarning(warning: string): ControlName | undefined {
  const known: readonly (readonly [RegExp, ControlName])[] = [
    [/swap/i, 'swap'],
    [/pids/i, 'pids'],
    [/cpu shares|cpu\.shares|cpu weight/i, 'cpu-shares'],
    [/cfs|cpu (?:quota|period)|cpus/i, 'cpu'],
    [/ulimit|rlimit|nofile/i, 'open-files'],
    [/seccomp/i, 'seccomp'],
    [/apparmor|selinux/i, 'isolation'],
    [/platform/i, 'image-config'],
    [/read-only|readonly/i, 'read-only-root'],
    [/published ports|ipv[46]|network/i, 'network'],
    [/memory|oom/i, 'memory'],
  ];
  return known.find(([words]) => words.test(warning))?.[1];
}

/**
 * The error for a container that is not what was asked for, or `undefined` where it is. Differences of relaxed controls, and
 * warnings about them, are what the policy consented to.
 */
export function toEnforcementError(
  differences: readonly ControlDifference[],
  warnings: readonly string[],
  relaxed: readonly ControlName[],
): NanoclawError | undefined {
  const wanted = differences.filter(({ control }) => !relaxed.includes(control));
  const unknown: string[] = [];
  for (const warning of warnings) {
    const control = controlOfWarning(warning);
    if (control === undefined) unknown.push(oneLine(warning));
    else if (!relaxed.includes(control))
      wanted.push({ control, expected: 'no warning from the engine', found: oneLine(warning) });
  }
  if (wanted.length === 0 && unknown.length === 0) return undefined;
  const lines = [
    ...wanted.map(({ control, expected, found }) => `${control}: expected ${expected}, found ${found}`),
    ...unknown.map((warning) => `the engine warned: ${warning}`),
  ];
  const first = wanted[0];
  return createError(
    'POLICY_NOT_ENFORCED',
    `Docker made a container that is not what the policy asks for, and it was removed. ${lines.join('; ')}. ` +
      "'nanoclaw doctor' lists what this engine enforces; a policy can relax a control by its name.",
    { differences: wanted, ...(first === undefined ? {} : { control: first.control }) },
  );
}

/** Makes what means the same compare equal: unset, null, empty and zero; lists whose order says nothing. */
function normalize(name: string, value: unknown): string {
  if (isEmpty(value)) return '';
  // An image's own interval and retries stay beside a test that is switched off.
  if (name === 'Healthcheck' && typeof value === 'object' && value !== null && 'Test' in value)
    return canonical(value.Test);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => canonical(item));
    // Entrypoint and Cmd are the only lists in which order counts.
    return `[${(name === 'Entrypoint' || name === 'Cmd' ? items : items.toSorted()).join(', ')}]`;
  }
  return canonical(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

/** JSON with sorted keys and without empty members. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).filter(([, member]) => !isEmpty(member));
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
    .join(',')}}`;
}

/** One field of Docker's holds several controls in a few places: the words that differ tell which. */
function refine(control: ControlName, name: string, expected: string, found: string): ControlName {
  if (name === 'SecurityOpt' && expected.includes('"no-new-privileges"') && !found.includes('"no-new-privileges"'))
    return 'no-new-privileges';
  if (name === 'Ulimits') return ulimit(expected, 'core') === ulimit(found, 'core') ? 'open-files' : 'core-dumps';
  return control;
}

function ulimit(text: string, name: string): string | undefined {
  return new RegExp(`\\{[^}]*"Name":"${name}"[^}]*\\}`).exec(text)?.[0];
}

/** A value for a message: one line, a seccomp profile by its hash. */
function show(name: string, value: string): string {
  const text =
    name === 'SecurityOpt'
      ? value.replace(
          /"seccomp=.*?[^\\]"(?=, |\])/g,
          (profile) => `"seccomp=<${createHash('sha256').update(profile).digest('hex').slice(0, 12)}>"`,
        )
      : value;
  return `${name} ${text === '' ? 'unset' : oneLine(text).slice(0, 300)}`;
}

/** Without the bare names by which variables are dropped: a name without a value sets nothing. */
function assignments(value: unknown): unknown {
  return Array.isArray(value) ? value.filter((entry) => typeof entry !== 'string' || entry.includes('=')) : value;
}

function pick(value: unknown, names: readonly string[]): Record<string, unknown> {
  const source = typeof value === 'object' && value !== null ? value : {};
  return Object.fromEntries(names.map((name) => [name, Reflect.get(source, name)]));
}

function toMountPoint(mount: DockerMount) {
  return mount.Type === 'bind'
    ? {
        type: 'bind',
        source: mount.Source,
        target: mount.Target,
        writable: !mount.ReadOnly,
        propagation: mount.BindOptions?.Propagation ?? '',
      }
    : { type: 'volume', source: mount.Source, target: mount.Target, writable: !mount.ReadOnly, propagation: '' };
}

function pickMountPoint({ Type, Name, Source, Destination, RW, Propagation }: DockerMountPoint) {
  const isVolume = Type === 'volume';
  return {
    type: Type ?? '',
    source: (isVolume ? Name : Source) ?? '',
    target: Destination ?? '',
    writable: RW !== false,
    propagation: isVolume ? '' : (Propagation ?? ''),
  };
}
