import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlNames } from '@nanoclaw/core';
import { describe, expect, test } from 'vitest';
import { compareVersions, negotiateApiVersion } from '../src/docker-api.ts';
import { isVulnerableRunc, toDockerCapabilities } from '../src/docker-capabilities.ts';
import type { DockerEndpoint } from '../src/docker-connect.ts';
import type { DockerEngine, DockerInfo } from '../src/docker-engine.ts';
import { createDockerRuntime } from '../src/index.ts';
import { containerSpec } from './support/container-spec.ts';

const endpoint: DockerEndpoint = {
  source: 'DOCKER_HOST',
  address: 'unix:///x',
  transport: { kind: 'unix', path: '/x' },
};

const limits = {
  MemoryLimit: true,
  SwapLimit: true,
  PidsLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
};

function engine(info: Partial<DockerInfo> = {}, more: Partial<DockerEngine> = {}): DockerEngine {
  return {
    version: { Version: '27.0', Arch: 'amd64', Components: [{ Name: 'runc', Version: '1.3.3' }] },
    info: {
      NCPU: 4,
      MemTotal: 1e9,
      CgroupVersion: '2',
      CgroupDriver: 'systemd',
      SecurityOptions: ['name=seccomp,profile=builtin'],
      Runtimes: { runc: {} },
      ...limits,
      ...info,
    },
    apiVersion: '1.46',
    isPodman: false,
    hasAppArmor: false,
    sharesFiles: true,
    ...more,
  };
}

const capabilities = (found: DockerEngine, ociRuntime?: string, at: DockerEndpoint = endpoint) =>
  toDockerCapabilities(found, at, { ociRuntime });

describe('toDockerCapabilities', () => {
  test('a common engine enforces every control, each with its evidence', () => {
    const { controls, isolation, userRange, warnings } = capabilities(engine());
    expect(Object.keys(controls).toSorted()).toEqual([...controlNames].toSorted());
    expect(Object.values(controls).filter((control) => !control.supported)).toEqual([]);
    expect(isolation).toMatchObject({
      'shared-kernel': { supported: true },
      'user-namespace': { supported: false },
      gvisor: { supported: false },
      microvm: { supported: false },
    });
    expect(userRange).toEqual({ first: 1_879_048_192, count: 65_536 });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['MemoryLimit', 'memory'],
    ['SwapLimit', 'swap'],
    ['PidsLimit', 'pids'],
    ['CpuCfsQuota', 'cpu'],
    ['CpuCfsPeriod', 'cpu'],
    ['CPUShares', 'cpu-shares'],
  ] as const)('without %s, %s is unsupported, with a cure', (flag, control) => {
    const { controls } = capabilities(engine({ [flag]: false }));
    expect(
      Object.entries(controls)
        .filter(([, found]) => !found.supported)
        .map(([name]) => name),
    ).toEqual([control]);
    expect(controls[control]).toMatchObject({
      reason: expect.stringContaining(control),
      cure: expect.stringMatching(/\w{10}/),
    });
  });

  test('rootless on cgroup v1 names what it takes', () => {
    const none = {
      MemoryLimit: false,
      SwapLimit: false,
      PidsLimit: false,
      CpuCfsPeriod: false,
      CpuCfsQuota: false,
      CPUShares: false,
    };
    const { controls, isolation, userRange } = capabilities(
      engine({ ...none, CgroupVersion: '1', SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'] }),
    );
    expect(controls.memory).toMatchObject({ supported: false, cure: expect.stringContaining('cgroup v2') });
    expect(isolation['user-namespace'].supported).toBe(true);
    expect(userRange).toEqual({ first: 20_000, count: 40_000 });
  });

  test('rootless on cgroup v2 without delegation names the drop-in', () => {
    const { controls } = capabilities(engine({ CPUShares: false, SecurityOptions: ['name=seccomp', 'name=rootless'] }));
    expect(controls['cpu-shares']).toMatchObject({ cure: expect.stringContaining('Delegate=') });
  });

  test('no seccomp', () => {
    expect(capabilities(engine({ SecurityOptions: [] })).controls.seccomp.supported).toBe(false);
  });

  test('gVisor where runsc is registered; userns-remap is a user namespace', () => {
    const { isolation, userRange } = capabilities(
      engine({ Runtimes: { runc: {}, runsc: {} }, SecurityOptions: ['name=seccomp', 'name=userns'] }),
    );
    expect(isolation).toMatchObject({ gvisor: { supported: true }, 'user-namespace': { supported: true } });
    expect(userRange.first).toBe(20_000);
  });

  test('under gVisor, whether asked for by isolation or by runtime, only what it shows or the engine proves is claimed', () => {
    const runsc = engine({ Runtimes: { runc: {}, runsc: {} } });
    const asked = capabilities(runsc).isolationControls.gvisor ?? {};
    const chosen = capabilities(runsc, 'runsc').controls;
    for (const controls of [asked, chosen]) {
      expect(controls.seccomp).toMatchObject({ supported: false, cure: expect.stringContaining('relax: [seccomp]') });
      expect(controls.scratch).toMatchObject({ supported: false });
      expect(controls.memory).toEqual({ supported: true, evidence: 'engine' });
    }
    expect(chosen.user).toEqual({ supported: true, evidence: 'inside' });
    const filtered = capabilities(engine({ Runtimes: { runsc: { runtimeArgs: ['--oci-seccomp'] } } }), 'runsc');
    expect(filtered.controls.seccomp.supported).toBe(true);
  });

  test('an OCI runtime that is not registered supports no isolation', () => {
    const { isolation, controls } = capabilities(engine(), 'crun');
    expect(isolation['shared-kernel']).toMatchObject({
      supported: false,
      reason: expect.stringContaining('"crun" is not registered'),
      cure: expect.stringContaining('daemon.json'),
    });
    expect(controls.isolation.supported).toBe(false);
  });

  test('Podman is named, and trusted for nothing that it drops', () => {
    const found = capabilities(engine({}, { isPodman: true }));
    expect(found.product).toBe('Podman');
    for (const control of ['seccomp', 'read-only-root', 'memory', 'pids', 'cpu'] as const)
      expect(found.controls[control]).toMatchObject({
        supported: false,
        cure: expect.stringContaining('podman driver'),
      });
    expect(found.warnings.join()).toContain('Podman');
  });

  test.each([
    ['1.1.5+ds1', true],
    ['1.2.7', true],
    ['1.2.8', false],
    ['1.3.0', true],
    ['1.3.2', true],
    ['1.3.3', false],
    ['1.4.0-rc.2', true],
    ['1.4.0-rc.3', false],
    ['1.4.0', false],
  ])('runc %s is vulnerable: %s', (version, vulnerable) => {
    expect(isVulnerableRunc(version)).toBe(vulnerable);
    const old = engine(
      {},
      { version: { Version: '1', Arch: 'arm64', Components: [{ Name: 'runc', Version: version }] } },
    );
    expect(capabilities(old).warnings.some((warning) => warning.includes('CVE-2025-31133'))).toBe(vulnerable);
    expect(capabilities(engine({ Runtimes: { crun: {} } }, { version: old.version }), 'crun').warnings).toEqual([]);
  });

  test('an engine on the network without TLS is warned of', () => {
    const tcp: DockerEndpoint = { ...endpoint, transport: { kind: 'tcp', host: 'x', port: 2375, tls: undefined } };
    expect(capabilities(engine(), undefined, tcp).warnings.join()).toContain('without TLS');
  });

  test('an architecture that there is no runner for', () => {
    expect(() => capabilities(engine({}, { version: { Arch: 'riscv64' } }))).toThrow(
      expect.objectContaining({ code: 'NOT_SUPPORTED' }),
    );
  });
});

describe('the API version', () => {
  const negotiate = (apiVersion: string, minApiVersion = '1.12') =>
    negotiateApiVersion({ apiVersion, minApiVersion, description: 'Docker Engine 1' });
  test('is the engine’s, but no newer than what is known', () => {
    expect(negotiate('1.41')).toBe('1.41');
    expect(negotiate('1.47', '1.24')).toBe('1.47');
    expect(negotiate('1.99', '1.44')).toBe('1.51');
  });
  test('too old or too new is said', () => {
    expect(() => negotiate('1.40')).toThrow(/20\.10/);
    expect(() => negotiate('1.99', '1.60')).toThrow(/Upgrade NanoClaw/);
  });
  test.each([
    ['1.9', '1.10', -1],
    ['1.41', '1.41', 0],
    ['v1.1.5+ds1', '1.1.4', 1],
  ])('%s and %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});

test("Podman behind Docker's socket is recognised, and nothing is started there", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nanoclaw-podman-'));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    const answers: Record<string, unknown> = {
      '/version': {
        Version: '4.3.1',
        ApiVersion: '1.41',
        MinAPIVersion: '1.24',
        Arch: 'amd64',
        Components: [{ Name: 'Podman Engine', Version: '4.3.1' }],
      },
      '/v1.41/info': { NCPU: 2, CgroupVersion: '1', SecurityOptions: ['name=seccomp'], Runtimes: { crun: {} } },
    };
    const answer = answers[request.url ?? ''];
    response.statusCode = answer === undefined ? 404 : 200;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? { message: 'no such image' }));
  });
  server.listen(join(directory, 's'));
  await once(server, 'listening');
  const runtime = createDockerRuntime({ host: `unix://${directory}/s` });
  const signal = AbortSignal.timeout(10_000);
  expect(await runtime.capabilities({ signal })).toMatchObject({
    product: 'Podman',
    version: '4.3.1',
    sharesFiles: false,
  });
  await expect(runtime.start(containerSpec(), { signal })).rejects.toMatchObject({
    code: 'CONTROL_UNSUPPORTED',
    message: expect.stringContaining('podman driver'),
  });
  expect(asked.filter((line) => line.includes('/start'))).toEqual([]);
  await runtime.close();
  server.close();
  await rm(directory, { recursive: true });
});
