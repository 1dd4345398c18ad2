import { isNanoclawError, type NanoclawError } from '../../src/errors/nanoclaw-error.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import type { RuntimeCapabilities } from '../../src/runtime/capabilities.ts';
import { controlNames } from '../../src/runtime/controls.ts';
import type { ImageConfig, ImageInfo } from '../../src/runtime/image.ts';

/** What a function throws, which must be an error of ours. */
export function errorOf(action: () => unknown): NanoclawError {
  try {
    action();
  } catch (error) {
    if (isNanoclawError(error)) return error;
    throw error;
  }
  throw new Error('expected an error, found none');
}

/** What a promise rejects with, which must be an error of ours. */
export async function rejectionOf(promise: Promise<unknown>): Promise<NanoclawError> {
  try {
    await promise;
  } catch (error) {
    if (isNanoclawError(error)) return error;
    throw error;
  }
  throw new Error('expected a rejection, found none');
}

/** The paths of all problems of a policy, in order. */
export function problemPaths(input: unknown): readonly string[] {
  const error = errorOf(() => parsePolicy(input));
  if (error.code !== 'INVALID_POLICY') throw error;
  return (error.details.problems ?? []).map(({ path }) => path);
}

const supported = { supported: true } as const;

/** An engine that can do everything, but for what is given. */
export function capabilitiesOf(changes: Partial<RuntimeCapabilities> = {}): RuntimeCapabilities {
  const controls = Object.fromEntries(controlNames.map((name) => [name, { supported: true, evidence: 'inside' }]));
  return {
    product: 'Test Engine',
    version: '1.0',
    details: {},
    architecture: 'amd64',
    cpuCount: 2,
    memoryBytes: 8 * 2 ** 30,
    sharesFiles: true,
    engineSockets: [],
    isolationControls: {},
    userRange: { first: 100_000, count: 1_000 },
    controls: controls as RuntimeCapabilities['controls'],
    isolation: { 'shared-kernel': supported, 'user-namespace': supported, gvisor: supported, microvm: supported },
    networks: { none: supported, fenced: supported },
    build: supported,
    engineMounts: [],
    engineInterfaces: [],
    engineDevices: [],
    warnings: [],
    ...changes,
  };
}

export function imageOf(config: Partial<ImageConfig> = {}, changes: Partial<ImageInfo> = {}): ImageInfo {
  return {
    reference: 'test/image:1',
    digest: `sha256:${'a'.repeat(64)}`,
    platform: { os: 'linux', architecture: 'amd64' },
    sizeBytes: 1,
    config: {
      env: [],
      volumes: [],
      user: '',
      workdir: '',
      entrypoint: [],
      command: [],
      hasHealthcheck: false,
      labels: {},
      ...config,
    },
    ...changes,
  };
}
