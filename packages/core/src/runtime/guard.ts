import { createError, isNanoclawError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import type { Logger } from '../logger.ts';
import { printable } from '../text.ts';
import type { RuntimeCapabilities } from './capabilities.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { ImageInfo, ImageProgress, ImageSource } from './image.ts';
import type { ContainerStatus, SandboxRuntime, StartedContainer } from './sandbox-runtime.ts';

/** Longest time that each duty may take, in milliseconds. Images may take as long as they make progress. */
export interface Deadlines {
  readonly capabilitiesMs: number;
  /** Longest silence of a pull, load or build. */
  readonly imageSilenceMs: number;
  readonly startMs: number;
  readonly queryMs: number;
  readonly destroyMs: number;
}

export const defaultDeadlines: Deadlines = {
  capabilitiesMs: 10_000,
  imageSilenceMs: 300_000,
  startMs: 60_000,
  queryMs: 10_000,
  destroyMs: 30_000,
};

export interface GuardOptions {
  readonly logger: Logger;
  readonly deadlines: Deadlines;
}

interface Operation {
  readonly name: string;
  readonly fields: object;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** How long a caller who gave up waits for the driver to clean up. */
  readonly tidyMs: number;
}

/**
 * Everything between core and a driver, written once: deadlines, abort, error mapping, one log event an operation, and the
 * release of what arrives after nobody waits for it any more. Core never calls a driver but through here.
 */
export class RuntimeGuard {
  readonly runtime: SandboxRuntime;
  readonly #logger: Logger;
  readonly #deadlines: Deadlines;

  constructor(runtime: SandboxRuntime, options: GuardOptions) {
    this.runtime = runtime;
    this.#logger = options.logger;
    this.#deadlines = options.deadlines;
  }

  capabilities(signal?: AbortSignal): Promise<RuntimeCapabilities> {
    return this.#run(this.#query('capabilities', {}, this.#deadlines.capabilitiesMs, signal), (inner) =>
      this.runtime.capabilities({ signal: inner }),
    );
  }

  /** Pull, load or build; given up when nothing was heard for `imageSilenceMs`. */
  ensureImage(
    source: ImageSource,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: ((progress: ImageProgress) => void) | undefined;
    } = {},
  ): Promise<ImageInfo> {
    const operation = this.#query(
      'ensureImage',
      { source: source.kind },
      this.#deadlines.imageSilenceMs,
      options.signal,
    );
    return this.#run(operation, (signal, heard) =>
      this.runtime.ensureImage(source, {
        signal,
        onProgress: (progress) => {
          heard();
          options.onProgress?.({ ...progress, message: printable(progress.message, 200) });
        },
      }),
    );
  }

  start(spec: ContainerSpec, signal?: AbortSignal): Promise<StartedContainer> {
    return this.#run(
      this.#query('start', { name: spec.name, image: spec.image.digest }, this.#deadlines.startMs, signal),
      (inner) => this.runtime.start(spec, { signal: inner }),
      // A container that arrives after its caller left has no owner: it goes at once.
      (late) => {
        late.channel.on('error', () => undefined);
        late.channel.destroy();
        this.#logger.warn({ runtime: this.runtime.name, id: late.id }, 'late container destroyed');
        return this.destroy(late.id);
      },
    );
  }

  inspect(id: string, signal?: AbortSignal): Promise<ContainerStatus | undefined> {
    return this.#run(this.#query('inspect', { id }, this.#deadlines.queryMs, signal), (inner) =>
      this.runtime.inspect(id, { signal: inner }),
    );
  }

  list(labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<readonly ContainerStatus[]> {
    return this.#run(this.#query('list', { labels }, this.#deadlines.queryMs, signal), (inner) =>
      this.runtime.list(labels, { signal: inner }),
    );
  }

  destroy(id: string, signal?: AbortSignal): Promise<void> {
    return this.#run(this.#query('destroy', { id }, this.#deadlines.destroyMs, signal), (inner) =>
      this.runtime.destroy(id, { signal: inner }),
    );
  }

  #query(name: string, fields: object, timeoutMs: number, signal: AbortSignal | undefined): Operation {
    return { name, fields, timeoutMs, signal, tidyMs: name === 'start' ? 1_000 : 0 };
  }

  async #run<T>(
    operation: Operation,
    call: (signal: AbortSignal, heard: () => void) => Promise<T>,
    release?: (late: T) => Promise<void>,
  ): Promise<T> {
    const startedMs = performance.now();
    const controller = new AbortController();
    const outcome = Promise.withResolvers<T>();
    // Whoever comes first decides: the result, or the abort. What arrives second is released.
    let decided = false;
    let tidied: Promise<unknown> = Promise.resolve();
    const stop = (error: NanoclawError): void => {
      if (decided) return;
      decided = true;
      controller.abort(error);
      // What a driver still has to remove is gone before the caller hears of it, where that is soon.
      void Promise.race([tidied, delay(operation.tidyMs)]).then(() => outcome.reject(error));
    };
    const onAbort = (): void => stop(aborted(operation.name, operation.signal));
    const timer = setTimeout(() => stop(this.#timedOut(operation)), operation.timeoutMs);
    operation.signal?.addEventListener('abort', onAbort, { once: true });
    if (operation.signal?.aborted) onAbort();
    else {
      // Async, so that a driver that throws at once is treated as one that rejects.
      tidied = (async () => call(controller.signal, () => timer.refresh()))().then(
        (value) => {
          if (decided) return release?.(value).catch((error) => this.#log(operation, startedMs, error));
          decided = true;
          outcome.resolve(value);
          return undefined;
        },
        (error) => {
          if (decided) return;
          decided = true;
          outcome.reject(error);
        },
      );
    }
    try {
      const value = await outcome.promise;
      this.#log(operation, startedMs, undefined);
      return value;
    } catch (error) {
      const mapped = this.#map(operation, error);
      this.#log(operation, startedMs, mapped);
      throw mapped;
    } finally {
      decided = true;
      clearTimeout(timer);
      operation.signal?.removeEventListener('abort', onAbort);
    }
  }

  #timedOut(operation: Operation): NanoclawError {
    return createError(
      'TIMEOUT',
      `${this.runtime.name} did not finish "${operation.name}" within ${operation.timeoutMs / 1_000} s; the engine may be stuck or overloaded. Look at its own log and try again.`,
      { operation: operation.name, timeoutMs: operation.timeoutMs },
    );
  }

  #map(operation: Operation, error: unknown): NanoclawError {
    if (isNanoclawError(error)) return error;
    const text = error instanceof Error ? error.message : String(error);
    return createError(
      'ENGINE_ERROR',
      `${this.runtime.name} failed on "${operation.name}": ${printable(text, 500)}. The engine's own log says more.`,
      { operation: operation.name },
      error,
    );
  }

  #log(operation: Operation, startedMs: number, error: unknown): void {
    const fields = {
      runtime: this.runtime.name,
      operation: operation.name,
      durationMs: Math.round((performance.now() - startedMs) * 10) / 10,
      ...operation.fields,
    };
    if (error === undefined) this.#logger.debug(fields, 'engine call');
    else this.#logger.warn({ ...fields, err: error }, 'engine call failed');
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    if (milliseconds === 0) resolve();
    else setTimeout(resolve, milliseconds).unref();
  });
}

/** The error for a caller's abort, with the caller's own reason as cause. */
export function aborted(what: string, signal: AbortSignal | undefined): NanoclawError {
  const reason: unknown = signal?.reason;
  if (isNanoclawError(reason)) return reason;
  return createError('ABORTED', `"${what}" was aborted by its caller.`, { operation: what }, reason);
}
