import { createError, type ImageInfo, type ImageSource } from '@nanoclaw/core';
import { abandonable } from './abandonable.ts';
import type { DockerApi } from './docker-api.ts';
import { type BuildSource, buildImage, buildKeyLabel } from './docker-build.ts';
import type { CredentialWorld } from './docker-credentials.ts';
import type { DockerEngine } from './docker-engine.ts';
import { oneLine, statusCodeOf } from './docker-error.ts';
import type { EnsureImageOptions } from './docker-image-progress.ts';
import { splitReference } from './docker-image-reference.ts';
import { loadArchive } from './docker-load.ts';
import { pullImage } from './docker-pull.ts';

export interface DockerImages {
  ensure(source: ImageSource, engine: DockerEngine, options: EnsureImageOptions): Promise<ImageInfo>;
  list(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly ImageInfo[]>;
  remove(digest: string, signal: AbortSignal): Promise<void>;
}

type Progress = EnsureImageOptions['onProgress'];

/** A build that several callers may wait for. */
interface SharedBuild {
  readonly promise: Promise<ImageInfo>;
  readonly listeners: Set<Progress>;
  readonly abort: AbortController;
}

interface InspectedImage {
  readonly Id?: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Os?: string;
  readonly Architecture?: string;
  readonly Size?: number;
  readonly Config?: {
    readonly Env?: readonly string[] | null;
    readonly Volumes?: Readonly<Record<string, unknown>> | null;
    readonly User?: string;
    readonly WorkingDir?: string;
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Healthcheck?: { readonly Test?: readonly string[] | null } | null;
    readonly Labels?: Readonly<Record<string, string>> | null;
  } | null;
}

export function createDockerImages(api: DockerApi, world: CredentialWorld): DockerImages {
  const builds = new Map<string, SharedBuild>();

  const inspect = async (reference: string, asked: string, signal: AbortSignal): Promise<ImageInfo | undefined> => {
    try {
      // A reference may hold slashes, which the engine wants as they are; what else it may hold was checked by core.
      const path = `/images/${reference.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':').replaceAll('%40', '@')}/json`;
      return toImageInfo(await api.call<InspectedImage>({ method: 'GET', path, signal }), asked);
    } catch (error) {
      if (statusCodeOf(error) === 404) return undefined;
      throw error;
    }
  };

  const mustFind = async (reference: string, asked: string, signal: AbortSignal): Promise<ImageInfo> => {
    const found = await inspect(reference, asked, signal);
    if (found === undefined)
      throw createError(
        'IMAGE_NOT_FOUND',
        `The image ${oneLine(asked)} was made available, but the engine no longer has it. Was it removed meanwhile?`,
      );
    return found;
  };

  const ensureReference = async (
    { reference, pull }: ImageSource & { kind: 'reference' },
    options: EnsureImageOptions,
  ): Promise<ImageInfo> => {
    if (pull !== 'always') {
      const found = await inspect(reference, reference, options.signal);
      if (found !== undefined) return found;
    }
    if (pull === 'never' || reference.startsWith('sha256:')) {
      throw createError(
        'IMAGE_NOT_FOUND',
        `The engine at ${api.endpoint.address} has no image ${oneLine(reference)}, and ${pull === 'never' ? 'it is not to be pulled' : 'an image id can not be pulled'}. ` +
          `'docker image ls' lists what there is; 'docker pull' or 'docker load' brings more.`,
      );
    }
    await pullImage(api, reference, world, options);
    return mustFind(reference, reference, options.signal);
  };

  const ensureArchive = async (
    { path }: ImageSource & { kind: 'archive' },
    options: EnsureImageOptions,
  ): Promise<ImageInfo> => {
    const loaded = await loadArchive(api, path, options);
    return mustFind(loaded, loaded, options.signal);
  };

  const findBuilt = async (source: BuildSource, signal: AbortSignal): Promise<ImageInfo | undefined> => {
    const [id] = await listIds(api, { [buildKeyLabel]: source.key }, signal);
    if (id === undefined) return undefined;
    const { repo, tag } = splitReference(source.tag);
    // The tag may have been given to something else since.
    await api.call({ method: 'POST', path: `/images/${id}/tag`, query: { repo, tag }, signal });
    return inspect(id, source.tag, signal);
  };

  const ensureBuild = async (source: BuildSource, options: EnsureImageOptions): Promise<ImageInfo> => {
    let shared = builds.get(source.key);
    if (shared === undefined) {
      const abort = new AbortController();
      const listeners = new Set<Progress>();
      const build = async (): Promise<ImageInfo> => {
        const found = await findBuilt(source, abort.signal);
        if (found !== undefined) return found;
        const id = await buildImage(api, source, {
          signal: abort.signal,
          onProgress: (progress) => {
            for (const listener of listeners) listener(progress);
          },
        });
        return mustFind(id, source.tag, abort.signal);
      };
      const started: SharedBuild = {
        promise: build().finally(() => builds.get(source.key) === started && builds.delete(source.key)),
        listeners,
        abort,
      };
      started.promise.catch(() => undefined);
      builds.set(source.key, started);
      shared = started;
    }
    const { promise, listeners, abort } = shared;
    // A listener of its own per caller, also where two pass the same function.
    const listener: Progress = (progress) => options.onProgress(progress);
    listeners.add(listener);
    try {
      return await abandonable(promise, options.signal);
    } finally {
      listeners.delete(listener);
      // The last one who waited has gone: nobody wants this build any more.
      if (listeners.size === 0) {
        builds.delete(source.key);
        abort.abort();
      }
    }
  };

  return {
    async ensure(source, engine, options) {
      const image = await (source.kind === 'reference'
        ? ensureReference(source, options)
        : source.kind === 'archive'
          ? ensureArchive(source, options)
          : ensureBuild(source, options));
      assertPlatform(image, engine);
      return image;
    },
    async list(labels, signal) {
      const ids = await listIds(api, labels, signal);
      const found = await Promise.all(ids.map((id) => inspect(id, '', signal)));
      return found.filter((image) => image !== undefined);
    },
    async remove(digest, signal) {
      try {
        // By force, or an image with several tags stays.
        await api.call({
          method: 'DELETE',
          path: `/images/${encodeURIComponent(digest)}`,
          query: { force: '1' },
          signal,
        });
      } catch (error) {
        if (statusCodeOf(error) !== 404) throw error;
      }
    },
  };
}

async function listIds(
  api: DockerApi,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string[]> {
  const filters = JSON.stringify({ label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) });
  const found = await api.call<readonly { readonly Id: string; readonly Created?: number }[]>({
    method: 'GET',
    path: '/images/json',
    query: { filters },
    signal,
  });
  return found.toSorted((a, b) => (b.Created ?? 0) - (a.Created ?? 0)).map(({ Id }) => Id);
}

function assertPlatform(image: ImageInfo, engine: DockerEngine): void {
  const architecture = engine.version.Arch ?? image.platform.architecture;
  if (image.platform.os === 'linux' && image.platform.architecture === architecture) return;
  throw createError(
    'IMAGE_UNUSABLE',
    `The image ${oneLine(image.reference)} is for ${oneLine(image.platform.os)}/${oneLine(image.platform.architecture)}, the engine runs linux/${architecture}. ` +
      `Pull it for that platform ('docker pull --platform linux/${architecture} …'), or choose another image.`,
  );
}

function toImageInfo(found: InspectedImage, reference: string): ImageInfo {
  const config = found.Config ?? {};
  const test = config.Healthcheck?.Test ?? [];
  return {
    reference: reference === '' ? (found.RepoTags?.[0] ?? found.Id ?? '') : reference,
    digest: found.Id ?? '',
    platform: { os: found.Os ?? 'linux', architecture: found.Architecture ?? '' },
    config: {
      env: config.Env ?? [],
      volumes: Object.keys(config.Volumes ?? {}),
      user: config.User ?? '',
      workdir: config.WorkingDir ?? '',
      entrypoint: config.Entrypoint ?? [],
      command: config.Cmd ?? [],
      hasHealthcheck: test.length > 0 && test[0] !== 'NONE',
      labels: config.Labels ?? {},
    },
    sizeBytes: found.Size ?? 0,
  };
}
