import { describe, expect, test } from 'vitest';
import { toBindMount, toDockerCreateBody } from '../src/docker-spec.ts';
import { containerSpec, noImage } from './support/container-spec.ts';

const engine = { hasAppArmor: false, ociRuntime: undefined, fileMounts: [] };

describe('toDockerCreateBody', () => {
  test('says every control outright, also where it is the default', () => {
    const spec = containerSpec({
      name: 'nanoclaw-x',
      user: { uid: 20_001, gid: 20_002 },
      coveredPaths: ['/data'],
      labels: { a: 'b' },
    });
    const { HostConfig: hostConfig, ...config } = toDockerCreateBody(spec, engine);
    expect(config).toEqual({
      Image: noImage.digest,
      Hostname: 'sandbox',
      Domainname: '',
      User: '20001:20002',
      Env: ['PATH=/bin:/usr/bin', 'HOME=/workspace', 'HOSTNAME', 'TERM'],
      WorkingDir: '/workspace',
      Entrypoint: ['/bin/cat'],
      Cmd: [],
      Labels: { a: 'b', 'nanoclaw.managed': 'true' },
      Healthcheck: { Test: ['NONE'] },
      StopSignal: 'SIGTERM',
      StopTimeout: 1,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      OpenStdin: true,
      StdinOnce: true,
      Tty: false,
      NetworkDisabled: true,
    });
    expect(hostConfig).toEqual({
      CapAdd: [],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', `seccomp=${spec.seccompProfile}`],
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: {
        '/data': 'ro,nosuid,nodev,noexec,size=4k,nr_inodes=1,mode=555',
        '/dev/shm': 'rw,nosuid,nodev,noexec,size=1048576,nr_inodes=1024,uid=20001,gid=20002,mode=1777',
        '/tmp': 'rw,nosuid,nodev,noexec,size=1048576,nr_inodes=64,uid=20001,gid=20002,mode=1777',
        '/workspace': 'rw,nosuid,nodev,exec,size=2097152,nr_inodes=64,uid=20001,gid=20002,mode=0700',
      },
      MaskedPaths: spec.maskedPaths,
      ReadonlyPaths: spec.readOnlyPaths,
      PidMode: '',
      IpcMode: 'none',
      UTSMode: '',
      UsernsMode: '',
      CgroupnsMode: 'private',
      NetworkMode: 'none',
      PublishAllPorts: false,
      ShmSize: 1 << 20,
      Memory: 64 << 20,
      MemorySwap: 64 << 20,
      MemoryReservation: 0,
      OomKillDisable: false,
      OomScoreAdj: 500,
      CpuPeriod: 100_000,
      CpuQuota: 100_000,
      CpuShares: 512,
      PidsLimit: 64,
      Ulimits: [
        { Name: 'nofile', Soft: 256, Hard: 256 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      Devices: [],
      DeviceRequests: [],
      DeviceCgroupRules: [],
      GroupAdd: [],
      Binds: [],
      VolumesFrom: [],
      Mounts: [],
      Sysctls: { 'kernel.shm_rmid_forced': '1' },
      Init: false,
      AutoRemove: true,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      LogConfig: { Type: 'none', Config: {} },
    });
  });

  test('drops what the image sets in the environment, but what the spec sets stays', () => {
    const config = { ...noImage.config, env: ['LD_PRELOAD=/evil.so', 'PATH=/image', 'TERM=x', 'EMPTY=', '=odd'] };
    const body = toDockerCreateBody(
      containerSpec({ image: { ...noImage, config }, env: { TERM: 'dumb', LC_ALL: 'C' } }),
      engine,
    );
    expect(body.Env).toEqual(['TERM=dumb', 'LC_ALL=C', 'PATH', 'HOSTNAME', 'LD_PRELOAD', 'EMPTY']);
  });

  test.each([
    [1000, 100_000],
    [500, 50_000],
    [2500, 250_000],
    [1, 1000],
  ])('%i thousandths of a CPU are a quota of %i', (cpuMillis, quota) => {
    expect(toDockerCreateBody(containerSpec({ cpuMillis }), engine).HostConfig.CpuQuota).toBe(quota);
  });

  test('asks for AppArmor where there is one, for the OCI runtime that was chosen, for files before mounts', () => {
    const mounts = [{ source: '/srv/data', target: '/data', readOnly: true }];
    const file = toBindMount('/cache/x', '/etc/passwd', true);
    const { HostConfig } = toDockerCreateBody(containerSpec({ mounts }), {
      hasAppArmor: true,
      ociRuntime: 'runsc',
      fileMounts: [file],
    });
    expect(HostConfig.SecurityOpt).toContain('apparmor=docker-default');
    expect(HostConfig.Runtime).toBe('runsc');
    expect(HostConfig.Mounts).toEqual([
      file,
      {
        Type: 'bind',
        Source: '/srv/data',
        Target: '/data',
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate', NonRecursive: true },
      },
    ]);
  });

  test('the command is the entry point, whatever the image has', () => {
    const body = toDockerCreateBody(containerSpec({ command: ['/run/runner', 'serve', '--x'] }), engine);
    expect([body.Entrypoint, body.Cmd]).toEqual([['/run/runner'], ['serve', '--x']]);
  });
});
