import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createError, type ErrorCode, type ImageInfo, type ImageProgress, type ImageSource, isNanoclawError } from '@nanoclaw/core';
import { createDiagnosticsTail } from '@nanoclaw/driver-kit';
import { abandonable } from './abandonable.ts';
import type { DockerApi } from './docker-api.ts';
import { createBuildContext } from './docker-build-context.ts';
import { type CredentialWorld, findRegistryCredentials, registryOf } from './docker-credentials.ts';
import type { DockerEngine } from './docker-engine.ts';
import { oneLine, statusCodeOf, toDockerError } from './docker-error.ts';
import { member, numberMember, readJsonLines, textMember } from './docker-json-lines.ts';

export interface EnsureImageOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImageProgress) => void;
}

export interface DockerImages {
  ensure(source: ImageSource, engine: DockerEngine, options: EnsureImageOptions): Promise<ImageInfo>;
  list(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly ImageInfo[]>;
  remove(digest: string, signal: AbortSignal): Promise<void>;
}

/** Carries a build's content key, by which an image is used again instead of built. */
export const buildKeyLabel = 'nanoclaw.build.key';

type BuildSource = ImageSource & { kind: 'build' };
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
    if (found === undefined) throw createError('IMAGE_NOT_FOUND', `The image ${oneLine(asked)} was made available, but the engine no longer has it. Was it removed meanwhile?`);
    return found;
  };

  const ensureReference = async ({ reference, pull }: ImageSource & { kind: 'reference' }, options: EnsureImageOptions): Promise<ImageInfo> => {
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

  const ensureArchive = async ({ path }: ImageSource & { kind: 'archive' }, options: EnsureImageOptions): Promise<ImageInfo> => {
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
        const id = await buildImage(api, source, { signal: abort.signal, onProgress: (progress) => listeners.forEach((listener) => listener(progress)) });
        return mustFind(id, source.tag, abort.signal);
      };
      const started: SharedBuild = { promise: build().finally(() => builds.get(source.key) === started && builds.delete(source.key)), listeners, abort };
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
      const image = await (source.kind === 'reference' ? ensureReference(source, options) : source.kind === 'archive' ? ensureArchive(source, options) : ensureBuild(source, options));
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
        await api.call({ method: 'DELETE', path: `/images/${encodeURIComponent(digest)}`, query: { force: '1' }, signal });
      } catch (error) {
        if (statusCodeOf(error) !== 404) throw error;
      }
    },
  };
}

async function listIds(api: DockerApi, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string[]> {
  const filters = JSON.stringify({ label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) });
  const found = await api.call<readonly { readonly Id: string; readonly Created?: number }[]>({ method: 'GET', path: '/images/json', query: { filters }, signal });
  return found.toSorted((a, b) => (b.Created ?? 0) - (a.Created ?? 0)).map(({ Id }) => Id);
}

async function pullImage(api: DockerApi, reference: string, world: CredentialWorld, { signal, onProgress }: EnsureImageOptions): Promise<void> {
  const credentials = await findRegistryCredentials(reference, world);
  const { repo, tag } = splitReference(reference);
  const layers = new Map<string, { done: number; total: number }>();
  try {
    const stream = await api.docker.createImage(credentials ?? {}, { fromImage: repo, tag, abortSignal: signal });
    await follow(stream, signal, (value) => {
      const id = textMember(value, 'id') ?? '';
      const done = numberMember(value, 'progressDetail', 'current');
      // Unpacking counts the same bytes again.
      if (done !== undefined && textMember(value, 'status') === 'Downloading') layers.set(id, { done, total: numberMember(value, 'progressDetail', 'total') ?? 0 });
      const sums = [...layers.values()].reduce((sum, layer) => ({ done: sum.done + layer.done, total: sum.total + layer.total }), { done: 0, total: 0 });
      onProgress({ phase: 'pull', message: oneLine([id, textMember(value, 'status')].filter(Boolean).join(': ')), completedBytes: sums.done, totalBytes: sums.total });
    });
  } catch (error) {
    throw toPullError(toDockerError(error, api.endpoint), reference, credentials !== undefined);
  }
}

function toPullError(error: unknown, reference: string, hadCredentials: boolean): unknown {
  if (!isNanoclawError(error) || (error.code !== 'ENGINE_ERROR' && error.code !== 'IMAGE_NOT_FOUND')) return error;
  const name = oneLine(reference);
  const words = error.cause instanceof Error ? oneLine(error.cause.message) : error.message;
  const registry = registryOf(reference);
  if (/no matching manifest|does not match the (?:specified|detected) platform/i.test(words)) {
    return createError('IMAGE_UNUSABLE', `The registry has no ${name} for the engine's platform (${words}). Choose another image, or an engine of the other architecture.`, {}, error);
  }
  if (/unauthorized|authentication required|no basic auth|denied/i.test(words)) {
    const login = hadCredentials ? `The credentials that Docker has for ${registry} were not accepted; 'docker login' renews them.` : `If it is private, log in first: 'docker login ${registry}'.`;
    return createError('IMAGE_NOT_FOUND', `The image ${name} is not on this engine, and ${registry} does not give it (${words}). Check the name. ${login}`, {}, error);
  }
  return createError(
    'IMAGE_NOT_FOUND',
    `The image ${name} is not on this engine and could not be pulled from ${registry} (${words}). Check the name and the engine's network; ` +
      "without a registry, bring the image with 'docker load', or build it.",
    {},
    error,
  );
}

/** Loads an archive, and answers the reference or id of the first image in it. */
async function loadArchive(api: DockerApi, path: string, { signal, onProgress }: EnsureImageOptions): Promise<string> {
  const stats = await stat(path).catch((error: unknown) => {
    throw createError('FILE_NOT_FOUND', `The image archive ${path} can't be read. Check the path.`, { path }, error);
  });
  if (!stats.isFile()) throw createError('FILE_NOT_FOUND', `Expected the image archive ${path} to be a file.`, { path });
  const file = createReadStream(path);
  let sent = 0;
  file.on('data', (chunk) => {
    sent += chunk.length;
    onProgress({ phase: 'load', message: 'sending the archive to the engine', completedBytes: sent, totalBytes: stats.size });
  });
  file.pause();
  let loaded: string | undefined;
  try {
    const stream = await api.docker.loadImage(file, { quiet: true, abortSignal: signal } as { quiet: boolean });
    await follow(stream, signal, (value) => {
      const line = textMember(value, 'stream')?.trim();
      if (line === undefined) return;
      loaded ??= /^Loaded image(?: ID)?: (\S+)/.exec(line)?.[1];
      onProgress({ phase: 'load', message: oneLine(line), completedBytes: sent, totalBytes: stats.size });
    });
  } catch (error) {
    const mapped = toDockerError(error, api.endpoint);
    if (mapped.code !== 'ENGINE_ERROR') throw mapped;
    const words = oneLine(error instanceof Error ? error.message : String(error));
    throw createError('IMAGE_UNUSABLE', `The engine can't load ${path} as an image (${words}). Expected a tar archive as 'docker save' writes it.`, { path }, error);
  } finally {
    file.destroy();
  }
  if (loaded === undefined) {
    throw createError('IMAGE_UNUSABLE', `There is no image in ${path}. Expected a tar archive as 'docker save' writes it (an OCI layout needs Docker 25 or newer).`, { path });
  }
  return loaded;
}

/** Builds with the engine's own builder, and answers the image's id. */
async function buildImage(api: DockerApi, source: BuildSource, { signal, onProgress }: EnsureImageOptions): Promise<string> {
  const context = await createBuildContext(source.contextDir, source.dockerfile);
  const output = createDiagnosticsTail(4096);
  let id: string | undefined;
  try {
    const stream = await api.docker.buildImage(context.archive as NodeJS.ReadableStream, {
      t: source.tag,
      dockerfile: context.dockerfile,
      buildargs: { ...source.buildArgs },
      labels: { ...source.labels, [buildKeyLabel]: source.key },
      networkmode: source.network,
      rm: true,
      forcerm: true,
      // BuildKit wants a session over HTTP/2 with the client; the engine's own builder wants nothing.
      version: '1',
      abortSignal: signal,
    });
    await follow(stream, signal, (value) => {
      id = textMember(value, 'aux', 'ID') ?? id;
      const text = textMember(value, 'stream') ?? textMember(value, 'status');
      if (text === undefined || text.trim() === '') return;
      output.append(Buffer.from(text.endsWith('\n') ? text : `${text}\n`));
      onProgress({ phase: 'build', message: oneLine(text), completedBytes: numberMember(value, 'progressDetail', 'current') ?? 0, totalBytes: numberMember(value, 'progressDetail', 'total') ?? 0 });
    });
  } catch (error) {
    throw toBuildError(error, toDockerError(error, api.endpoint), source, output.text());
  } finally {
    context.archive.destroy();
  }
  return id ?? source.tag;
}

function toBuildError(error: unknown, mapped: Error & { code: ErrorCode }, source: BuildSource, output: string): Error {
  if (mapped.code !== 'ENGINE_ERROR' && mapped.code !== 'IMAGE_NOT_FOUND') return mapped;
  const words = oneLine(error instanceof Error ? error.message : String(error));
  const where = `${source.contextDir}/${source.dockerfile}`;
  if (/pull access denied|manifest unknown|manifest for .* not found|no such host|dial tcp|registry/i.test(words)) {
    return createError('IMAGE_NOT_FOUND', `The image that ${where} starts FROM is not on this engine and could not be pulled (${words}). Check its name, or bring it with 'docker load'.`, {}, error);
  }
  const hint = /requires BuildKit/i.test(words) ? " NanoClaw builds with the engine's classic builder: write the Dockerfile without BuildKit's RUN --mount." : '';
  const last = output.trim() === '' ? '' : `\n${output.trim().split('\n').slice(-20).join('\n')}`;
  return createError('BUILD_FAILED', `Building ${where} failed: ${words}.${hint}${last}`, { path: where }, error);
}

/** Reads a progress stream to its end; an error in it is thrown, since the HTTP status was told before. */
async function follow(stream: NodeJS.ReadableStream, signal: AbortSignal, onValue: (value: unknown) => void): Promise<void> {
  const readable = stream as Readable;
  const onAbort = (): void => {
    readable.destroy(new DOMException('The call was given up.', 'AbortError'));
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  let failure: string | undefined;
  try {
    await readJsonLines(readable, (value) => {
      failure ??= textMember(value, 'errorDetail', 'message') ?? textMember(value, 'error');
      if (member(value, 'error') === undefined) onValue(value);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  signal.throwIfAborted();
  if (failure !== undefined) throw new Error(failure);
}

/** `repo` and `tag` as the engine wants them apart; a digest counts as a tag. */
export function splitReference(reference: string): { readonly repo: string; readonly tag: string } {
  const at = reference.indexOf('@');
  if (at >= 0) return { repo: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(':');
  // Without a tag every tag of the repository would be pulled.
  return colon > reference.lastIndexOf('/') ? { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) } : { repo: reference, tag: 'latest' };
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
