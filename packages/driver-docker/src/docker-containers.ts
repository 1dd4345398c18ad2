import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerStatus, createError } from '@nanoclaw/core';
import type { DockerApi } from './docker-api.ts';
import { statusCodeOf } from './docker-error.ts';

/** Containers as they are found: status, list, removal. */
export interface DockerContainers {
  inspect(id: string, signal: AbortSignal): Promise<ContainerStatus | undefined>;
  list(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly ContainerStatus[]>;
  /** Removes by force, by id or name, and resolves when the container is gone. No error where there is none. */
  remove(idOrName: string, signal: AbortSignal): Promise<void>;
}

interface Listed {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly State?: string;
  readonly Created?: number;
  readonly ImageID?: string;
}

interface Inspected {
  readonly Id: string;
  readonly Name?: string;
  readonly Created?: string;
  readonly Image?: string;
  readonly State?: { readonly Status?: string };
  readonly Config?: { readonly Labels?: Readonly<Record<string, string>> | null };
}

const states = ['created', 'running', 'paused', 'exited', 'dead', 'removing'] as const;
const removalAttempts = 4;

export function createDockerContainers(api: DockerApi): DockerContainers {
  const inspect = async (id: string, signal: AbortSignal): Promise<Inspected | undefined> => {
    try {
      return await api.call<Inspected>({ method: 'GET', path: `/containers/${encodeURIComponent(id)}/json`, signal });
    } catch (error) {
      if (statusCodeOf(error) === 404) return undefined;
      throw error;
    }
  };

  /** Answers whether the engine says that it has removed it, or that there is nothing to remove. */
  const requestRemoval = async (id: string, signal: AbortSignal): Promise<boolean> => {
    try {
      await api.call({
        method: 'DELETE',
        path: `/containers/${encodeURIComponent(id)}`,
        query: { force: '1', v: '1' },
        signal,
      });
      return true;
    } catch (error) {
      const status = statusCodeOf(error);
      if (status === 404) return true;
      // 409: a removal is in progress already. 500: the storage driver was busy with it, or it died while being killed.
      if (status === 409 || status === 500) return false;
      throw error;
    }
  };

  return {
    async inspect(id, signal) {
      const found = await inspect(id, signal);
      if (found === undefined) return undefined;
      return {
        id: found.Id,
        name: (found.Name ?? '').replace(/^\//, ''),
        labels: found.Config?.Labels ?? {},
        state: toState(found.State?.Status),
        createdAtMs: Date.parse(found.Created ?? '') || 0,
        imageDigest: found.Image ?? '',
      };
    },
    async list(labels, signal) {
      const filters = { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
      const query = { all: '1', filters: JSON.stringify(filters) };
      const found = await api.call<readonly Listed[]>({ method: 'GET', path: '/containers/json', query, signal });
      return found.map((container) => ({
        id: container.Id,
        name: (container.Names?.[0] ?? '').replace(/^\//, ''),
        labels: container.Labels ?? {},
        state: toState(container.State),
        createdAtMs: (container.Created ?? 0) * 1000,
        imageDigest: container.ImageID ?? '',
      }));
    },
    async remove(id, signal) {
      for (let attempt = 1; ; attempt += 1) {
        if (await requestRemoval(id, signal)) return;
        // Another removal may be under way: wait for its end, and only then ask again.
        for (let waitMs = 10; waitMs < 1000; waitMs *= 1.5) {
          if ((await inspect(id, signal)) === undefined) return;
          await sleep(waitMs, undefined, { signal });
        }
        if (attempt === removalAttempts) {
          throw createError(
            'ENGINE_ERROR',
            `Docker could not remove the container ${id} in ${removalAttempts} attempts. 'docker rm -f ${id}' may say why; the engine's log does.`,
          );
        }
      }
    },
  };
}

function toState(status: string | undefined): ContainerStatus['state'] {
  return states.find((state) => state === status) ?? (status === 'restarting' ? 'running' : 'dead');
}
