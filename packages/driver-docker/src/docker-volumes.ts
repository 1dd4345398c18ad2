import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerSpec, createError, type ImageInfo, type ReadOnlyFile } from '@nanoclaw/core';
import { extract, pack } from 'tar-stream';
import { abandonable } from './abandonable.ts';
import { compareVersions, type DockerApi } from './docker-api.ts';
import { statusCodeOf, toDockerError } from './docker-error.ts';
import type { PreparedFiles } from './docker-prepared-files.ts';
import { type DockerMount, managedLabel, toBindMount } from './docker-spec.ts';

/**
 * Read-only files in volumes on the engine's disk, for an engine that doesn't see ours: another machine's, or one in a mount
 * namespace of its own. A volume is filled through the archive API and a helper container of the sandbox's own image that is
 * created and never started. Its name is the hash of its content, and it is read back before it is first relied on.
 */
export interface DockerFileVolumes {
  prepare(spec: ContainerSpec, signal: AbortSignal): Promise<PreparedFiles>;
  /** Forgets what is known to be there, so that the next `prepare` looks again. */
  invalidate(): void;
}

/** Says that a volume is ours, and for how long: `runner` is kept for the next process, `sandbox` goes with the container. */
export const filesLabel = 'nanoclaw.files';

interface VolumePlan {
  readonly name: string;
  readonly kind: 'runner' | 'sandbox';
  readonly files: readonly ReadOnlyFile[];
}

interface FilledVolume {
  readonly name: string;
  /** The engine's own path of the content. */
  readonly mountpoint: string;
}

interface VolumeAnswer {
  readonly Name?: string;
  readonly Mountpoint?: string;
  readonly CreatedAt?: string;
}

const helperTarget = '/nanoclaw-files';
const leftoverAfterMs: Readonly<Record<VolumePlan['kind'], number>> = {
  sandbox: 60 * 60 * 1000,
  runner: 30 * 24 * 60 * 60 * 1000,
};

export interface DockerFileVolumeOptions {
  readonly apiVersion: () => string;
  readonly now?: () => number;
}

export function createDockerFileVolumes(
  api: DockerApi,
  { apiVersion, now = Date.now }: DockerFileVolumeOptions,
): DockerFileVolumes {
  const filled = new Map<string, Promise<FilledVolume>>();
  const users = new Map<string, number>();
  let swept = false;

  const acquire = (plan: VolumePlan, image: ImageInfo, signal: AbortSignal): Promise<FilledVolume> => {
    users.set(plan.name, (users.get(plan.name) ?? 0) + 1);
    let promise = filled.get(plan.name);
    if (promise === undefined) {
      promise = fillVolume(api, plan, image);
      filled.set(plan.name, promise);
      promise.catch(() => filled.delete(plan.name));
    }
    return abandonable(promise, signal);
  };

  const release = (plan: VolumePlan): void => {
    const left = (users.get(plan.name) ?? 1) - 1;
    if (left > 0) users.set(plan.name, left);
    else users.delete(plan.name);
    if (left > 0 || plan.kind === 'runner') return;
    filled.delete(plan.name);
    void removeSoon(plan.name);
  };

  /** Best effort: a sweep removes what stays. The engine tells of an exit before it has removed the container, which holds the volume. */
  const removeSoon = async (name: string): Promise<void> => {
    for (const delayMs of [0, 100, 500, 2000, 5000]) {
      await sleep(delayMs, undefined, { ref: false });
      if (users.has(name) || (await removeVolume(api, name).catch(() => 'failed' as const)) !== 'in use') return;
    }
  };

  const sweep = async (): Promise<void> => {
    const filters = JSON.stringify({ label: [filesLabel], dangling: ['true'] });
    const answer = await api.call<{
      Volumes?: readonly (VolumeAnswer & { Labels?: Readonly<Record<string, string>> | null })[] | null;
    }>({
      method: 'GET',
      path: '/volumes',
      query: { filters },
    });
    for (const { Name, CreatedAt, Labels } of answer.Volumes ?? []) {
      const kind = Labels?.[filesLabel] === 'runner' ? 'runner' : 'sandbox';
      const age = now() - Date.parse(CreatedAt ?? '');
      if (Name !== undefined && !users.has(Name) && age > leftoverAfterMs[kind])
        await removeVolume(api, Name).catch(() => undefined);
    }
  };

  return {
    async prepare(spec, signal) {
      if (!swept) {
        swept = true;
        sweep().catch(() => undefined);
      }
      const plans = toVolumePlans(spec.files);
      const releaseAll = once(() => plans.forEach(release));
      // All are settled before one failure is told, so that what was acquired is released exactly once.
      const volumes = await Promise.allSettled(plans.map((plan) => acquire(plan, spec.image, signal)));
      const failed = volumes.find((volume) => volume.status === 'rejected');
      if (failed !== undefined) {
        releaseAll();
        throw toDockerError(failed.reason, api.endpoint);
      }
      const mounts = spec.files.map((file) => {
        const index = plans.findIndex((plan) => plan.files.includes(file));
        const volume = volumes[index];
        if (volume?.status !== 'fulfilled') throw new Error(`no volume holds ${file.target}`);
        return toFileMount(volume.value, file, apiVersion());
      });
      return { mounts, release: releaseAll };
    },
    invalidate: () => filled.clear(),
  };
}

/** The runner in a volume of its own, which is large and the same for all; the small generated ones together. */
export function toVolumePlans(files: readonly ReadOnlyFile[]): VolumePlan[] {
  const large = files.filter((file) => 'path' in file.content);
  const small = files.filter((file) => 'text' in file.content);
  const groups = [
    ...large.map((file) => ({ kind: 'runner' as const, files: [file] })),
    ...(small.length > 0 ? [{ kind: 'sandbox' as const, files: small }] : []),
  ];
  return groups.map(({ kind, files: members }) => {
    const content = members.map(entryName).toSorted().join('\n');
    return {
      kind,
      files: members,
      name: `nanoclaw-files-${createHash('sha256').update(content).digest('hex').slice(0, 40)}`,
    };
  });
}

function toFileMount(volume: FilledVolume, file: ReadOnlyFile, apiVersion: string): DockerMount {
  const name = entryName(file);
  // Engines before 26.0 can't mount a file of a volume; what they can is bind its path on their own disk. They refuse to do so
  // below their data directory with a private propagation, lest unmounting there fail.
  if (compareVersions(apiVersion, '1.45') < 0)
    return toBindMount(`${volume.mountpoint}/${name}`, file.target, true, 'rslave');
  return {
    Type: 'volume',
    Source: volume.name,
    Target: file.target,
    ReadOnly: true,
    VolumeOptions: { NoCopy: true, Subpath: name },
  };
}

function entryName(file: ReadOnlyFile): string {
  return `${file.sha256}-${file.mode.toString(8)}`;
}

async function fillVolume(api: DockerApi, plan: VolumePlan, image: ImageInfo): Promise<FilledVolume> {
  const volume = await api.call<VolumeAnswer>({
    method: 'POST',
    path: '/volumes/create',
    body: { Name: plan.name, Driver: 'local', Labels: { [managedLabel]: 'true', [filesLabel]: plan.kind } },
  });
  const helper = await createHelper(api, plan, image);
  try {
    if (!(await holdsExactly(api, helper, plan.files))) {
      await api.docker.getContainer(helper).putArchive(await toArchive(plan.files), { path: helperTarget });
      if (!(await holdsExactly(api, helper, plan.files))) {
        throw createError(
          'FILE_REFUSED',
          `The volume ${plan.name} on the engine at ${api.endpoint.address} does not hold what was just written to it. ` +
            `Does another container write there? 'docker volume rm ${plan.name}' makes NanoClaw start anew.`,
        );
      }
    }
  } finally {
    await api.call({ method: 'DELETE', path: `/containers/${helper}`, query: { force: '1' } }).catch(() => undefined);
  }
  return { name: plan.name, mountpoint: volume.Mountpoint ?? '' };
}

async function createHelper(api: DockerApi, plan: VolumePlan, image: ImageInfo): Promise<string> {
  const created = await api.call<{ Id: string }>({
    method: 'POST',
    path: '/containers/create',
    query: { name: `nanoclaw-files-${randomBytes(8).toString('hex')}` },
    body: {
      Image: image.digest,
      Entrypoint: ['/nothing-is-ever-started'],
      Cmd: [],
      Labels: { [managedLabel]: 'true' },
      NetworkDisabled: true,
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: 'none',
        LogConfig: { Type: 'none', Config: {} },
        CapDrop: ['ALL'],
        Mounts: [{ Type: 'volume', Source: plan.name, Target: helperTarget, VolumeOptions: { NoCopy: true } }],
        // The image's own volumes would each become an anonymous one.
        Tmpfs: Object.fromEntries(image.config.volumes.map((path) => [path, 'ro,size=4k'])),
      },
    },
  });
  return created.Id;
}

/** Reads the volume back: every file there with its hash, its mode, root's and a regular one. */
async function holdsExactly(api: DockerApi, helper: string, files: readonly ReadOnlyFile[]): Promise<boolean> {
  const found = new Set<string>();
  const reader = extract();
  const archive = (await api.docker.getContainer(helper).getArchive({ path: helperTarget })) as unknown as Readable;
  archive.on('error', (error) => reader.destroy(error));
  archive.pipe(reader);
  for await (const entry of reader) {
    const hash = createHash('sha256');
    for await (const chunk of entry) hash.update(chunk as Buffer);
    const { name, type, mode, uid, gid } = entry.header;
    if (type === 'file' && uid === 0 && gid === 0)
      found.add(`${name.split('/').at(-1)} ${hash.digest('hex')}-${((mode ?? 0) & 0o7777).toString(8)}`);
  }
  return files.every((file) => found.has(`${entryName(file)} ${entryName(file)}`));
}

async function toArchive(files: readonly ReadOnlyFile[]): Promise<Buffer> {
  const writer = pack();
  const chunks: Buffer[] = [];
  const collected = (async () => {
    for await (const chunk of writer) chunks.push(chunk as Buffer);
  })();
  for (const file of files) {
    const content = 'text' in file.content ? Buffer.from(file.content.text) : await readFile(file.content.path);
    const found = createHash('sha256').update(content).digest('hex');
    if (found !== file.sha256) {
      throw createError(
        'FILE_REFUSED',
        `Expected the content for ${file.target} to have the SHA-256 ${file.sha256}, found ${found}. Was it changed since NanoClaw was started?`,
        {
          path: file.target,
        },
      );
    }
    writer.entry({ name: entryName(file), mode: file.mode, uid: 0, gid: 0, type: 'file', mtime: new Date(0) }, content);
  }
  writer.finalize();
  await collected;
  return Buffer.concat(chunks);
}

async function removeVolume(api: DockerApi, name: string): Promise<'removed' | 'in use'> {
  try {
    await api.call({ method: 'DELETE', path: `/volumes/${encodeURIComponent(name)}` });
  } catch (error) {
    const status = statusCodeOf(error);
    if (status === 409) return 'in use';
    if (status !== 404) throw error;
  }
  return 'removed';
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
