import type { ContainerSpec, ScratchSpec } from '@nanoclaw/core';

type MountPropagation = 'rprivate' | 'rslave';

/** A mount as Docker's `HostConfig.Mounts` has it; unlike `Binds` it never creates a missing source on the host. */
export interface DockerMount {
  readonly Type: 'bind' | 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly BindOptions?: { readonly Propagation: MountPropagation; readonly NonRecursive: true };
  readonly VolumeOptions?: { readonly NoCopy: true; readonly Subpath: string };
}

export interface DockerUlimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

export interface DockerHostConfig {
  readonly CapAdd: readonly string[];
  readonly CapDrop: readonly string[];
  readonly SecurityOpt: readonly string[];
  readonly Privileged: false;
  readonly ReadonlyRootfs: true;
  readonly Tmpfs: Readonly<Record<string, string>>;
  readonly MaskedPaths: readonly string[];
  readonly ReadonlyPaths: readonly string[];
  readonly PidMode: '';
  readonly IpcMode: 'none';
  readonly UTSMode: '';
  readonly UsernsMode: '';
  readonly CgroupnsMode: 'private';
  readonly NetworkMode: 'none';
  readonly PublishAllPorts: false;
  readonly ShmSize: number;
  readonly Memory: number;
  readonly MemorySwap: number;
  readonly MemoryReservation: 0;
  readonly OomKillDisable: false;
  readonly OomScoreAdj: number;
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpuShares: number;
  readonly PidsLimit: number;
  readonly Ulimits: readonly DockerUlimit[];
  readonly Devices: readonly [];
  readonly DeviceRequests: readonly [];
  readonly DeviceCgroupRules: readonly [];
  readonly GroupAdd: readonly [];
  readonly Binds: readonly [];
  readonly VolumesFrom: readonly [];
  readonly Mounts: readonly DockerMount[];
  readonly Sysctls: Readonly<Record<string, string>>;
  readonly Init: false;
  readonly AutoRemove: true;
  readonly RestartPolicy: { readonly Name: 'no'; readonly MaximumRetryCount: 0 };
  readonly LogConfig: { readonly Type: 'none'; readonly Config: Readonly<Record<string, never>> };
  readonly Runtime?: string;
}

/** The body of `POST /containers/create`. */
export interface DockerCreateBody {
  readonly Image: string;
  readonly Hostname: string;
  readonly Domainname: '';
  readonly User: string;
  readonly Env: readonly string[];
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly ['NONE'] };
  readonly StopSignal: 'SIGTERM';
  readonly StopTimeout: 1;
  readonly AttachStdin: true;
  readonly AttachStdout: true;
  readonly AttachStderr: true;
  readonly OpenStdin: true;
  readonly StdinOnce: true;
  readonly Tty: false;
  readonly NetworkDisabled: true;
  readonly HostConfig: DockerHostConfig;
}

/** What the translation needs to know of the engine. */
export interface DockerSpecEngine {
  readonly hasAppArmor: boolean;
  /** The registered OCI runtime to ask for; `undefined` is the engine's default. */
  readonly ociRuntime: string | undefined;
  /** How the spec's files get in, in the spec's order. */
  readonly fileMounts: readonly DockerMount[];
}

/** The label that says a container is ours; the events are filtered by it. */
export const managedLabel = 'nanoclaw.managed';

const cpuPeriodMicros = 100_000;
/** Killed before anything else of the host's when memory runs out. */
const oomScoreAdjust = 500;

/** Names that Docker itself puts into the environment where they aren't set. (`HOME` comes from runc, and stays.) */
const engineEnvironment = ['PATH', 'HOSTNAME', 'TERM'];

/**
 * Translates a spec into the body of a create call. Every field that a control hangs on is written out, also where Docker's
 * default happens to be the same: defaults differ between versions, cgroup versions and `daemon.json` files.
 */
export function toDockerCreateBody(spec: ContainerSpec, engine: DockerSpecEngine): DockerCreateBody {
  const [entrypoint, ...args] = spec.command;
  return {
    Image: spec.image.digest,
    Hostname: spec.hostname,
    Domainname: '',
    User: `${spec.user.uid}:${spec.user.gid}`,
    Env: toEnvironment(spec),
    WorkingDir: spec.workdir,
    Entrypoint: [entrypoint],
    Cmd: args,
    Labels: { ...spec.labels, [managedLabel]: 'true' },
    Healthcheck: { Test: ['NONE'] },
    StopSignal: 'SIGTERM',
    StopTimeout: 1,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    // Without it the death of our process would not be end of input inside, and the container would run for ever.
    StdinOnce: true,
    Tty: false,
    NetworkDisabled: true,
    HostConfig: {
      CapAdd: [],
      CapDrop: ['ALL'],
      SecurityOpt: toSecurityOptions(spec, engine),
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: toTmpfs(spec),
      MaskedPaths: spec.maskedPaths,
      ReadonlyPaths: spec.readOnlyPaths,
      PidMode: '',
      // A namespace of its own as with `private`, but without Docker's own /dev/shm, whose files it can't count.
      IpcMode: 'none',
      UTSMode: '',
      UsernsMode: '',
      CgroupnsMode: 'private',
      NetworkMode: 'none',
      PublishAllPorts: false,
      ShmSize: spec.sharedMemoryBytes,
      Memory: spec.memoryBytes,
      // Memory and swap together: equal is no swap, unset would be twice the memory.
      MemorySwap: spec.memoryBytes,
      MemoryReservation: 0,
      OomKillDisable: false,
      OomScoreAdj: oomScoreAdjust,
      CpuPeriod: cpuPeriodMicros,
      CpuQuota: Math.max(1000, Math.round((spec.cpuMillis * cpuPeriodMicros) / 1000)),
      CpuShares: spec.cpuShares,
      PidsLimit: spec.pids,
      Ulimits: [
        { Name: 'nofile', Soft: spec.openFiles, Hard: spec.openFiles },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      Devices: [],
      DeviceRequests: [],
      DeviceCgroupRules: [],
      GroupAdd: [],
      Binds: [],
      VolumesFrom: [],
      Mounts: [
        ...engine.fileMounts,
        ...spec.mounts.map((mount) => toBindMount(mount.source, mount.target, mount.readOnly)),
      ],
      // Shared memory that no process has attached any more would fill the memory limit for good.
      Sysctls: { 'kernel.shm_rmid_forced': '1' },
      Init: false,
      AutoRemove: true,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      LogConfig: { Type: 'none', Config: {} },
      ...(engine.ociRuntime === undefined ? {} : { Runtime: engine.ociRuntime }),
    },
  };
}

export function toBindMount(
  source: string,
  target: string,
  readOnly: boolean,
  propagation: MountPropagation = 'rprivate',
): DockerMount {
  // Not recursive: what happens to be mounted below the source on the host is not part of what was asked for.
  return {
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    BindOptions: { Propagation: propagation, NonRecursive: true },
  };
}

function toSecurityOptions(spec: ContainerSpec, { hasAppArmor }: DockerSpecEngine): string[] {
  return ['no-new-privileges', `seccomp=${spec.seccompProfile}`, ...(hasAppArmor ? ['apparmor=docker-default'] : [])];
}

/**
 * A bare name without `=` removes a variable (moby `container/env.go`): so the image's own ones go, and those that Docker
 * would add.
 */
function toEnvironment(spec: ContainerSpec): string[] {
  const wanted = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
  const fromImage = spec.image.config.env.map((entry) => entry.split('=', 1)[0] ?? '');
  const dropped = new Set(
    [...engineEnvironment, ...fromImage].filter((name) => name !== '' && !Object.hasOwn(spec.env, name)),
  );
  return [...wanted, ...dropped];
}

function toTmpfs(spec: ContainerSpec): Record<string, string> {
  const covered = spec.coveredPaths.map(
    (target) => [target, 'ro,nosuid,nodev,noexec,size=4k,nr_inodes=1,mode=555'] as const,
  );
  const scratch = spec.scratch.map((entry) => [entry.target, toTmpfsOptions(entry, spec.user)] as const);
  const shared: ScratchSpec = {
    target: '/dev/shm',
    sizeBytes: spec.sharedMemoryBytes,
    inodes: spec.sharedMemoryInodes,
    mode: 0o1777,
    executable: false,
  };
  return Object.fromEntries([...covered, ...scratch, [shared.target, toTmpfsOptions(shared, spec.user)]]);
}

/**
 * Owned by the user through `uid` and `gid`: runc before 1.1.8 ignores `mode` where the directory exists in the image
 * (https://github.com/opencontainers/runc/issues/3911), and an owner can write whatever mode comes out.
 */
function toTmpfsOptions(scratch: ScratchSpec, user: ContainerSpec['user']): string {
  return [
    'rw',
    'nosuid',
    'nodev',
    scratch.executable ? 'exec' : 'noexec',
    `size=${scratch.sizeBytes}`,
    `nr_inodes=${scratch.inodes}`,
    `uid=${user.uid}`,
    `gid=${user.gid}`,
    `mode=${scratch.mode.toString(8).padStart(4, '0')}`,
  ].join(',');
}
