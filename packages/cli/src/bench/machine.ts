import { createRequire } from 'node:module';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { RuntimeCapabilities } from '@nanoclaw/core';

export interface Machine {
  readonly cpu: string;
  readonly cpuCount: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** Of the last minute, before anything was measured: other work makes every figure worse. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpuCount: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** Other work makes every absolute figure worse; what is left is the ratio of subjects that it hit alike. */
export function describeNoise({ loadBefore, cpuCount }: Machine): string[] {
  if (loadBefore <= cpuCount / 2) return [];
  return [
    `The machine was busy before anything was measured (load ${loadBefore} on ${cpuCount} CPUs): take ratios, never absolute times.`,
  ];
}

export function describeVersions(
  capabilities: RuntimeCapabilities,
  client: string | undefined,
): Readonly<Record<string, string>> {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };
  const { product, details } = capabilities;
  return {
    nanoclaw: version,
    node: process.versions.node,
    [product === 'Podman' ? 'podman' : 'docker']: capabilities.version,
    ...(client === undefined ? {} : { dockerClient: client }),
    ...(details.runc === undefined ? {} : { runc: details.runc }),
    ...(details.containerd === undefined ? {} : { containerd: details.containerd }),
    ...(details.cgroup === undefined ? {} : { cgroup: details.cgroup }),
  };
}
