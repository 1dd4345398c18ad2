import { createHash, randomBytes } from 'node:crypto';
import type { ContainerSpec, ImageInfo, ReadOnlyFile } from '@nanoclaw/core';

/** Allows everything but two calls: enough to see that a profile is in force. */
const seccompProfile = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
  syscalls: [{ names: ['mount', 'io_uring_setup'], action: 'SCMP_ACT_ERRNO' }],
});

export const testLabels = { 'nanoclaw.managed': 'true', 'nanoclaw.test': 'driver-docker' } as const;

export function textFile(target: string, text: string, mode = 0o444): ReadOnlyFile {
  return { target, mode, content: { text }, sha256: createHash('sha256').update(text).digest('hex') };
}

export const noImage: ImageInfo = {
  reference: 'test:1',
  digest: `sha256:${'a'.repeat(64)}`,
  platform: { os: 'linux', architecture: 'amd64' },
  config: {
    env: [],
    volumes: [],
    user: '',
    workdir: '',
    entrypoint: [],
    command: [],
    hasHealthcheck: false,
    labels: {},
  },
  sizeBytes: 1,
};

/** A spec as core decides one, but with a command of the image's own instead of the runner. */
export function containerSpec(changes: Partial<ContainerSpec> = {}): ContainerSpec {
  const id = randomBytes(8).toString('hex');
  const uid = 20_000 + (Number.parseInt(id.slice(0, 4), 16) % 40_000);
  return {
    name: `nanoclaw-${id}`,
    hostname: 'sandbox',
    image: noImage,
    command: ['/bin/cat'],
    files: [textFile('/etc/passwd', `sandbox:x:${uid}:${uid}::/workspace:/bin/sh\n`)],
    labels: { ...testLabels, 'nanoclaw.sandbox': id },
    user: { uid, gid: uid },
    env: { PATH: '/bin:/usr/bin', HOME: '/workspace' },
    workdir: '/workspace',
    isolation: 'shared-kernel',
    network: 'none',
    seccompProfile,
    maskedPaths: ['/proc/keys', '/proc/timer_list'],
    readOnlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    scratch: [
      { target: '/tmp', sizeBytes: 1 << 20, inodes: 64, mode: 0o1777, executable: false },
      { target: '/workspace', sizeBytes: 2 << 20, inodes: 64, mode: 0o700, executable: true },
    ],
    sharedMemoryBytes: 1 << 20,
    sharedMemoryInodes: 1_024,
    mounts: [],
    coveredPaths: [],
    memoryBytes: 64 << 20,
    cpuMillis: 1000,
    cpuShares: 512,
    pids: 64,
    openFiles: 256,
    relaxed: [],
    ...changes,
  };
}

export const shell = (script: string): readonly [string, ...string[]] => ['/bin/sh', '-c', script];
