import { randomBytes } from 'node:crypto';
import type { ReadOnlyFileCache } from '@nanoclaw/driver-kit';
import { type DockerApi, negotiateApiVersion } from './docker-api.ts';
import { statusCodeOf } from './docker-error.ts';

/** `GET /version`, as far as it is read. */
export interface DockerVersion {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
  readonly Arch?: string;
  readonly Os?: string;
  readonly KernelVersion?: string;
  readonly Platform?: { readonly Name?: string } | null;
  readonly Components?:
    | readonly {
        readonly Name?: string;
        readonly Version?: string;
        readonly Details?: Readonly<Record<string, string>> | null;
      }[]
    | null;
}

/** `GET /info`, as far as it is read. */
export interface DockerInfo {
  readonly Architecture?: string;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsPeriod?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly CPUShares?: boolean;
  readonly CgroupDriver?: string;
  readonly CgroupVersion?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly DefaultRuntime?: string;
  readonly Driver?: string;
  readonly OperatingSystem?: string;
  readonly OSType?: string;
  readonly KernelVersion?: string;
  readonly DockerRootDir?: string;
}

/** Everything that is asked of an engine once. */
export interface DockerEngine {
  readonly version: DockerVersion;
  readonly info: DockerInfo;
  readonly apiVersion: string;
  /** Podman answers on Docker's API too, but not for all that is said there. */
  readonly isPodman: boolean;
  readonly hasAppArmor: boolean;
  readonly sharesFiles: boolean;
}

/** Asks an engine who it is, and settles the API version that everything after is said in. */
export async function identifyDockerEngine(
  api: DockerApi,
  cache: ReadOnlyFileCache,
  signal: AbortSignal,
): Promise<DockerEngine> {
  const version = await api.call<DockerVersion>({ method: 'GET', path: '/version', signal });
  const isPodman =
    (version.Components ?? []).some(({ Name }) => /podman/i.test(Name ?? '')) ||
    /podman|libpod/i.test(version.Platform?.Name ?? '');
  const apiVersion = negotiateApiVersion({
    apiVersion: version.ApiVersion ?? '0',
    minApiVersion: version.MinAPIVersion ?? '0',
    description: `${isPodman ? 'Podman' : 'Docker Engine'} ${version.Version ?? 'of unknown version'} at ${api.endpoint.address}`,
  });
  api.useVersion(apiVersion);
  const [info, sharesFiles] = await Promise.all([
    api.call<DockerInfo>({ method: 'GET', path: '/info', signal }),
    seesOurFiles(api, cache, signal),
  ]);
  const hasAppArmor = (info.SecurityOptions ?? []).some((option) => option.startsWith('name=apparmor'));
  return { version, info, apiVersion, isPodman, hasAppArmor, sharesFiles };
}

/** No image has this digest. */
const noImage = `sha256:${'0'.repeat(64)}`;

/**
 * Finds out whether a path of ours is the same file to the engine, without making anything: Docker checks a bind mount's source
 * before it looks for the image, so creating a container from an image that can't exist says either that the path does not
 * exist (400) or that the image doesn't (404). A file that exists for nobody must give the first answer, or nothing is learnt,
 * and then files are taken as not shared, which always works.
 */
async function seesOurFiles(api: DockerApi, cache: ReadOnlyFileCache, signal: AbortSignal): Promise<boolean> {
  const probe = await cache.createProbe();
  try {
    const [ours, nobodys] = await Promise.all([answerFor(probe.path), answerFor(`${probe.path}-missing`)]);
    return ours === 404 && nobodys === 400;
  } finally {
    await probe.remove();
  }

  async function answerFor(source: string): Promise<number | undefined> {
    const name = `nanoclaw-probe-${randomBytes(8).toString('hex')}`;
    const mount = { Type: 'bind', Source: source, Target: '/probe', ReadOnly: true };
    try {
      const created = await api.call<{ Id: string }>({
        method: 'POST',
        path: '/containers/create',
        query: { name },
        body: { Image: noImage, HostConfig: { Mounts: [mount] } },
        signal,
      });
      await api.call({ method: 'DELETE', path: `/containers/${created.Id}`, query: { force: '1' }, signal });
      return undefined;
    } catch (error) {
      const status = statusCodeOf(error);
      if (status === undefined) throw error;
      return status;
    }
  }
}
