import type { ControlName } from '@nanoclaw/core';
import { describe, expect, test } from 'vitest';
import {
  compareDockerInspect,
  controlOfWarning,
  type DockerInspect,
  toEnforcementError,
} from '../src/docker-inspect.ts';
import { type DockerCreateBody, toBindMount, toDockerCreateBody } from '../src/docker-spec.ts';
import { containerSpec } from './support/container-spec.ts';

const asked = toDockerCreateBody(containerSpec({ mounts: [{ source: '/srv', target: '/srv', readOnly: false }] }), {
  hasAppArmor: false,
  ociRuntime: 'runc',
  fileMounts: [toBindMount('/cache/passwd', '/etc/passwd', true)],
});

interface Inspect {
  Image: string;
  Config: Record<string, unknown>;
  HostConfig: Record<string, unknown>;
  Mounts: Record<string, unknown>[];
}

/** What an honest engine answers, with the nulls and extras that Docker 20.10 adds. */
function honest(body: DockerCreateBody = asked): Inspect {
  const { HostConfig, ...config } = structuredClone(body);
  return {
    Image: body.Image,
    Config: { ...config, Volumes: null, OnBuild: null, Labels: { ...config.Labels, 'image.label': 'x' } },
    HostConfig: {
      ...HostConfig,
      PortBindings: null,
      ExtraHosts: null,
      NanoCpus: 0,
      CgroupParent: '',
      Devices: null,
      Binds: null,
      Isolation: '',
    },
    Mounts: HostConfig.Mounts.map((mount) => ({
      Type: 'bind',
      Source: mount.Source,
      Destination: mount.Target,
      Mode: '',
      RW: !mount.ReadOnly,
      Propagation: 'rprivate',
    })),
  };
}

const hostConfig = (change: Record<string, unknown>) => (inspect: Inspect) => Object.assign(inspect.HostConfig, change);
const config = (change: Record<string, unknown>) => (inspect: Inspect) => Object.assign(inspect.Config, change);

describe('compareDockerInspect', () => {
  test('finds nothing in what was asked', () => {
    expect(compareDockerInspect(asked, honest() as DockerInspect)).toEqual([]);
  });

  test('does not mind the order of lists that have none', () => {
    const inspect = honest();
    for (const name of ['SecurityOpt', 'MaskedPaths', 'Mounts', 'Ulimits'])
      (inspect.HostConfig[name] as unknown[]).reverse();
    inspect.Mounts.reverse();
    expect(compareDockerInspect(asked, inspect as DockerInspect)).toEqual([]);
  });

  test.each<[ControlName, string, (inspect: Inspect) => unknown]>([
    ['user', 'another user', config({ User: '0:0' })],
    ['user', 'more groups', hostConfig({ GroupAdd: ['docker'] })],
    ['capabilities', 'an added capability', hostConfig({ CapAdd: ['SYS_ADMIN'] })],
    ['capabilities', 'nothing dropped', hostConfig({ CapDrop: null })],
    ['capabilities', 'privileged', hostConfig({ Privileged: true })],
    ['no-new-privileges', 'no no-new-privileges', hostConfig({ SecurityOpt: asked.HostConfig.SecurityOpt.slice(1) })],
    ['seccomp', 'seccomp unconfined', hostConfig({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] })],
    ['read-only-root', 'a writable root', hostConfig({ ReadonlyRootfs: false })],
    ['scratch', 'a tmpfs without a size', hostConfig({ Tmpfs: { ...asked.HostConfig.Tmpfs, '/tmp': 'rw' } })],
    ['scratch', 'the default shm', hostConfig({ ShmSize: 64 << 20 })],
    ['masked-paths', 'nothing masked', hostConfig({ MaskedPaths: [] })],
    ['masked-paths', 'nothing read-only', hostConfig({ ReadonlyPaths: null })],
    ['pid-namespace', "the host's processes", hostConfig({ PidMode: 'host' })],
    ['ipc-namespace', 'a shareable ipc', hostConfig({ IpcMode: 'shareable' })],
    ['uts-namespace', "the host's uts", hostConfig({ UTSMode: 'host' })],
    ['uts-namespace', 'another hostname', config({ Hostname: 'vm' })],
    ['cgroup-namespace', "the host's cgroups", hostConfig({ CgroupnsMode: 'host' })],
    ['isolation', "the host's users", hostConfig({ UsernsMode: 'host' })],
    ['isolation', 'another runtime', hostConfig({ Runtime: 'kata' })],
    ['isolation', 'a sysctl', hostConfig({ Sysctls: { 'net.ipv4.ip_forward': '1' } })],
    ['network', 'a bridge', hostConfig({ NetworkMode: 'default' })],
    ['network', 'networking', config({ NetworkDisabled: false })],
    ['network', 'a published port', hostConfig({ PortBindings: { '80/tcp': [{ HostPort: '80' }] } })],
    ['memory', 'no limit', hostConfig({ Memory: 0 })],
    ['swap', 'twice the memory', hostConfig({ MemorySwap: 128 << 20 })],
    ['cpu', 'no quota', hostConfig({ CpuQuota: 0 })],
    ['cpu', 'another quota', hostConfig({ NanoCpus: 4e9 })],
    ['cpu-shares', 'other shares', hostConfig({ CpuShares: 1024 })],
    ['pids', 'no limit', hostConfig({ PidsLimit: null })],
    [
      'open-files',
      'another limit',
      hostConfig({ Ulimits: [{ Name: 'nofile', Soft: 1 << 20, Hard: 1 << 20 }, asked.HostConfig.Ulimits[1]] }),
    ],
    ['core-dumps', 'core dumps', hostConfig({ Ulimits: [asked.HostConfig.Ulimits[0]] })],
    ['devices', 'a device', hostConfig({ Devices: [{ PathOnHost: '/dev/kvm' }] })],
    ['devices', 'a GPU', hostConfig({ DeviceRequests: [{ Count: -1 }] })],
    ['mounts', 'a bind', hostConfig({ Binds: ['/:/host'] })],
    ['mounts', 'a writable file', (inspect) => Object.assign(inspect.Mounts[0] ?? {}, { RW: true })],
    ['mounts', 'another source', (inspect) => Object.assign(inspect.Mounts[0] ?? {}, { Source: '/etc/shadow' })],
    [
      'mounts',
      "an image's volume",
      (inspect) => inspect.Mounts.push({ Type: 'volume', Name: 'abc', Destination: '/data', RW: true }),
    ],
    ['mounts', 'a missing mount', (inspect) => inspect.Mounts.pop()],
    ['image-config', 'another image', (inspect) => Object.assign(inspect, { Image: `sha256:${'b'.repeat(64)}` })],
    ['image-config', 'an environment', config({ Env: [...asked.Env, 'LD_PRELOAD=/x'] })],
    ['image-config', "the image's command", config({ Cmd: ['sh'] })],
    ['image-config', 'a health check', config({ Healthcheck: { Test: ['CMD', 'x'] } })],
    ['image-config', 'an init', hostConfig({ Init: true })],
    ['output-log', 'a log file', hostConfig({ LogConfig: { Type: 'json-file', Config: {} } })],
    ['output-log', 'a terminal', config({ Tty: true })],
    ['removal', 'no removal', hostConfig({ AutoRemove: false })],
    ['removal', 'a restart', hostConfig({ RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } })],
    ['removal', 'stdin that stays open', config({ StdinOnce: false })],
    ['removal', 'labels that are gone', config({ Labels: {} })],
  ])('names %s for %s', (control, _what, change) => {
    const inspect = honest();
    change(inspect);
    const differences = compareDockerInspect(asked, inspect as DockerInspect);
    expect(differences.map((difference) => difference.control)).toContain(control);
    expect(new Set(differences.map((difference) => difference.control)).size).toBe(1);
  });

  test('an empty answer differs in everything that is not a default', () => {
    const controls = new Set(compareDockerInspect(asked, {}).map(({ control }) => control));
    for (const control of ['user', 'capabilities', 'memory', 'pids', 'network', 'mounts', 'removal'])
      expect(controls).toContain(control);
  });

  test('does not print a whole seccomp profile', () => {
    const inspect = honest();
    inspect.HostConfig.SecurityOpt = ['no-new-privileges'];
    const [difference] = compareDockerInspect(asked, inspect as DockerInspect);
    expect(difference?.expected).toMatch(/seccomp=<[0-9a-f]{12}>/);
    expect(difference?.expected.length).toBeLessThan(200);
  });
});

describe('toEnforcementError', () => {
  test('is undefined where nothing differs', () => {
    expect(toEnforcementError([], [], [])).toBeUndefined();
  });

  test('names every difference, and lets relaxed controls pass', () => {
    const differences = [
      { control: 'memory', expected: 'Memory 1', found: 'Memory unset' },
      { control: 'pids', expected: 'PidsLimit 1', found: 'PidsLimit unset' },
    ] as const;
    const error = toEnforcementError(differences, [], ['pids']);
    expect(error).toMatchObject({
      code: 'POLICY_NOT_ENFORCED',
      details: { control: 'memory', differences: [differences[0]] },
    });
    expect(toEnforcementError(differences, [], ['pids', 'memory'])).toBeUndefined();
  });

  test.each([
    [
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
      'swap',
    ],
    [
      'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
      'memory',
    ],
    [
      'Your kernel does not support pids limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
      'pids',
    ],
    ['Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.', 'cpu-shares'],
    ['Your kernel does not support CPU cfs quota or the cgroup is not mounted. Quota discarded.', 'cpu'],
    ['OomKillDisable is set without memory limit', 'memory'],
    [
      "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64)",
      'image-config',
    ],
  ] as const)('a warning is a failure under its control: %s', (warning, control) => {
    expect(controlOfWarning(warning)).toBe(control);
    expect(toEnforcementError([], [warning], [])).toMatchObject({ code: 'POLICY_NOT_ENFORCED', details: { control } });
    expect(toEnforcementError([], [warning], [control])).toBeUndefined();
  });

  test('a warning that nobody knows is a failure whatever is relaxed', () => {
    expect(toEnforcementError([], ['something\x1b[31m odd'], ['memory'])?.message).toContain('something\\x1b[31m odd');
  });
});
