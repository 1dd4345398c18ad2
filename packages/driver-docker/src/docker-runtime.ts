import { homedir } from 'node:os';
import { type ContainerSpec, createError, type RuntimeCapabilities, type SandboxRuntime } from '@nanoclaw/core';
import { createReadOnlyFileCache } from '@nanoclaw/driver-kit';
import { abandonable } from './abandonable.ts';
import { createDockerApi, type DockerApi } from './docker-api.ts';
import { podmanRefusal, toDockerCapabilities } from './docker-capabilities.ts';
import { resolveDockerEndpoint } from './docker-connect.ts';
import { createDockerContainers, type DockerContainers } from './docker-containers.ts';
import { type DockerEngine, identifyDockerEngine } from './docker-engine.ts';
import { toDockerError } from './docker-error.ts';
import { createDockerEvents, type DockerEvents } from './docker-events.ts';
import { createDockerFiles, type DockerFiles, isMissingFile, toMountError } from './docker-files.ts';
import { gvisorRuntime } from './docker-gvisor.ts';
import { createDockerImages, type DockerImages } from './docker-images.ts';
import { type DockerStarted, startDockerContainer } from './docker-start.ts';
import { createDockerFileVolumes, type DockerFileVolumes } from './docker-volumes.ts';

export interface DockerRuntimeOptions {
  /** The engine's address (`unix:///…`, `tcp://…`, `ssh://…`); by default found as the `docker` command finds it. */
  readonly host?: string | undefined;
  /** A Docker context to use. */
  readonly context?: string | undefined;
  /** A registered OCI runtime to run sandboxes under (`runc`, `crun`, `runsc`); by default the engine's own. */
  readonly ociRuntime?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly homeDir?: string | undefined;
  readonly platform?: NodeJS.Platform | undefined;
}

const identifyMs = 30_000;

/** What there is once an endpoint is known. */
interface Connected {
  readonly api: DockerApi;
  readonly events: DockerEvents;
  readonly containers: DockerContainers;
  readonly images: DockerImages;
  readonly volumes: DockerFileVolumes;
  readonly files: DockerFiles;
}

/**
 * Runs sandboxes on Docker Engine 20.10 and newer. Nothing is connected before the first call. One runtime holds one
 * connection for events and a few for calls; `close` releases them.
 */
export function createDockerRuntime(options: DockerRuntimeOptions = {}): SandboxRuntime {
  const { env = process.env, homeDir = homedir(), platform = process.platform, ociRuntime } = options;
  const cache = createReadOnlyFileCache({ env, homeDir });
  const started = new Map<string, DockerStarted>();
  let connecting: Promise<Connected> | undefined;
  let identified: Promise<DockerEngine> | undefined;
  let closed = false;

  const connect = (): Promise<Connected> => {
    if (closed)
      throw createError(
        'INVALID_ARGUMENT',
        'This Docker runtime was closed. Create another with createDockerRuntime().',
      );
    connecting ??= resolveDockerEndpoint({ host: options.host, context: options.context, env, homeDir, platform })
      .then((endpoint) => {
        const api = createDockerApi(endpoint, env);
        const volumes = createDockerFileVolumes(api, { apiVersion: () => api.version });
        return {
          api,
          events: createDockerEvents(api),
          containers: createDockerContainers(api),
          images: createDockerImages(api, { env, homeDir }),
          volumes,
          files: createDockerFiles(cache, volumes),
        };
      })
      .catch((error: unknown) => {
        connecting = undefined;
        throw error;
      });
    return connecting;
  };

  /** What the engine is, asked once; `fresh` asks again. */
  const identify = async ({ api }: Connected, signal: AbortSignal, fresh: boolean): Promise<DockerEngine> => {
    if (!fresh && identified !== undefined) return abandonable(identified, signal);
    // Under a deadline of its own: one caller's abort must not fail the others who wait for the same answer.
    const promise = identifyDockerEngine(api, cache, AbortSignal.timeout(identifyMs));
    identified = promise;
    promise.catch(() => {
      if (identified === promise) identified = undefined;
    });
    return abandonable(promise, signal);
  };

  /** Runs a call, and makes whatever it throws an error of ours. */
  const run = async <Result>(
    signal: AbortSignal,
    action: (connected: Connected, engine: DockerEngine) => Promise<Result>,
  ): Promise<Result> => {
    const connected = await connect();
    try {
      signal.throwIfAborted();
      return await action(connected, await identify(connected, signal, false));
    } catch (error) {
      throw toDockerError(error, connected.api.endpoint);
    }
  };

  const start = async (
    connected: Connected,
    engine: DockerEngine,
    spec: ContainerSpec,
    signal: AbortSignal,
  ): Promise<DockerStarted> => {
    const { api, events, containers, files } = connected;
    const prepared = await files.prepare(spec, engine.sharesFiles, signal);
    try {
      const container = await startDockerContainer(
        {
          api,
          events,
          containers,
          engine: {
            hasAppArmor: engine.hasAppArmor,
            ociRuntime: spec.isolation === 'gvisor' ? gvisorRuntime : ociRuntime,
            fileMounts: prepared.mounts,
          },
        },
        spec,
        signal,
      );
      started.set(container.id, container);
      void container.exited.then(() => {
        started.delete(container.id);
        prepared.release();
      });
      return container;
    } catch (error) {
      prepared.release();
      if (!isMissingFile(error, prepared.mounts)) throw toMountError(error, spec, api);
      throw new MissingFileError(error);
    }
  };

  return {
    name: 'docker',
    async capabilities({ signal }): Promise<RuntimeCapabilities> {
      const connected = await connect();
      try {
        return toDockerCapabilities(await identify(connected, signal, true), connected.api.endpoint, { ociRuntime });
      } catch (error) {
        throw toDockerError(error, connected.api.endpoint);
      }
    },
    ensureImage: (source, { signal, onProgress }) =>
      run(signal, ({ images }, engine) => images.ensure(source, engine, { signal, onProgress })),
    listImages: (labels, { signal }) => run(signal, ({ images }) => images.list(labels, signal)),
    removeImage: (digest, { signal }) => run(signal, ({ images }) => images.remove(digest, signal)),
    start: (spec, { signal }) =>
      run(signal, async (connected, engine) => {
        if (engine.isPodman) {
          const { reason, cure } = podmanRefusal(engine.version.Version);
          throw createError(
            'CONTROL_UNSUPPORTED',
            `NanoClaw's docker driver does not start sandboxes here: ${reason} ${cure}`,
            { control: 'seccomp', cure },
          );
        }
        try {
          return await start(connected, engine, spec, signal);
        } catch (error) {
          if (!(error instanceof MissingFileError) || signal.aborted) throw error;
          // What was prepared is gone, or the engine no longer sees it: look again, once.
          connected.volumes.invalidate();
          return await start(connected, await identify(connected, signal, true), spec, signal).catch(
            (second: unknown) => {
              throw second instanceof MissingFileError ? second.cause : second;
            },
          );
        }
      }),
    inspect: (id, { signal }) => run(signal, ({ containers }) => containers.inspect(id, signal)),
    list: (labels, { signal }) => run(signal, ({ containers }) => containers.list(labels, signal)),
    destroy: (id, { signal }) =>
      run(signal, async ({ containers }) => {
        const container = started.get(id);
        container?.expectKill();
        await containers.remove(id, signal);
        // The engine has removed it, so nothing more comes; the channel ends now, not when a socket notices.
        container?.channel.destroy();
      }),
    async close() {
      if (closed) return;
      closed = true;
      const connected = await connecting?.catch(() => undefined);
      connected?.events.close();
      connected?.api.close();
    },
  };
}

class MissingFileError extends Error {
  constructor(cause: unknown) {
    super('a prepared file is gone', { cause });
  }
}
