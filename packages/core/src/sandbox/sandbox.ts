import type { Attestation } from '../attestation/attestation.ts';
import type { NanoclawError } from '../errors/nanoclaw-error.ts';
import type { Logger } from '../logger.ts';
import type { Policy } from '../policy/policy.ts';
import type { Connection } from '../protocol/connection.ts';
import type { ContainerSpec } from '../runtime/container-spec.ts';
import type { RuntimeGuard } from '../runtime/guard.ts';
import type { StartedContainer } from '../runtime/sandbox-runtime.ts';
import { type DownloadOptions, download } from './download.ts';
import { type ExecResult, runToEnd } from './exec.ts';
import { type ExecOptions, type SpawnOptions, toExecRequest, wholeNumber } from './exec-options.ts';
import { type FileContent, list, makeDirectory, readFile, remove, type SandboxFile, stat, writeFile } from './files.ts';
import { explainEnd, gone } from './gone.ts';
import { forwardPort, type PortForward, type PortForwardOptions } from './port-forward.ts';
import type { SandboxPath } from './sandbox-path.ts';
import { SandboxProcess } from './sandbox-process.ts';
import { type CopySummary, upload } from './upload.ts';
import { releaseUser } from './user-allocator.ts';

/** How long each step of a start took, in milliseconds. */
export interface StartTimings {
  readonly capabilitiesMs: number;
  readonly imageMs: number;
  /** Create, attach and start, as the engine does them, with the comparison of its inspect. */
  readonly startMs: number;
  /** From the start to the runner's report. */
  readonly helloMs: number;
  /** From the call to a sandbox that is verified and ready. */
  readonly totalMs: number;
}

/** What `createSandbox` hands over. */
export interface SandboxParts {
  readonly id: string;
  readonly guard: RuntimeGuard;
  readonly container: StartedContainer;
  readonly connection: Connection;
  readonly spec: ContainerSpec;
  readonly policy: Policy;
  readonly env: Readonly<Record<string, string>>;
  readonly attestation: Attestation;
  readonly timings: StartTimings;
  readonly logger: Logger;
}

/** How much later than the runner the host ends a sandbox whose lifetime is over. */
const lifetimeGraceMs = 2_000;
const maxTimerMs = 2 ** 31 - 1;

/**
 * A hardened, verified container with a resident runner. Made by `createSandbox`, used by one claimer, then destroyed.
 * Once it is gone, every call that waits and every later one rejects with the reason; nothing hangs.
 */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  /** What was asked, found, and how it was proved, per control. */
  readonly attestation: Attestation;
  readonly timings: StartTimings;
  /** The engine's name of the container, e.g. for `docker inspect`. */
  readonly containerId: string;
  /** Resolves, never rejects, with the reason once the sandbox is gone. */
  readonly gone: Promise<NanoclawError>;
  readonly #parts: SandboxParts;
  readonly #gone = Promise.withResolvers<NanoclawError>();
  #error: NanoclawError | undefined;
  #destroyed: Promise<void> | undefined;
  #lifetime: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #busy = 0;

  /** Core's own: use `createSandbox`. */
  constructor(parts: SandboxParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.attestation = parts.attestation;
    this.timings = parts.timings;
    this.containerId = parts.container.id;
    this.gone = this.#gone.promise;
    void parts.connection.ended
      .then((end) => explainEnd(end, parts.container.exited))
      .then((error) => this.#end(error));
    this.extendLifetime(parts.policy.lifetimeMs);
    this.#restartIdle();
  }

  /**
   * Runs a command to its end. A non-zero exit is a result; errors are `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE`,
   * `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `ABORTED`, `SANDBOX_GONE`, `PROTOCOL_VIOLATION`. After a timeout or an abort nothing
   * that the command started still runs.
   */
  exec(argv: readonly string[], options: ExecOptions & { readonly encoding: 'buffer' }): Promise<ExecResult<Buffer>>;
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult<string>>;
  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult<string> | ExecResult<Buffer>> {
    return this.#use(() =>
      runToEnd(
        () => this.#spawn(argv, options, this.#parts.policy.execTimeoutMs, options.input !== undefined),
        options,
      ),
    );
  }

  /** Starts a command and resolves when it runs; its streams have backpressure. It ends with the sandbox at the latest. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<SandboxProcess> {
    return this.#use(async () => {
      const process = this.#spawn(argv, options, 0, options.stdin ?? true);
      const onAbort = (): void => process.kill();
      if (options.signal?.aborted) onAbort();
      options.signal?.addEventListener('abort', onAbort, { once: true });
      void this.#use(() => process.wait())
        .catch(() => undefined)
        .finally(() => options.signal?.removeEventListener('abort', onAbort));
      await process.started;
      return process;
    });
  }

  /** Writes a file, whole or not at all. `mode` defaults to `0o644`; missing parents are made. */
  writeFile(
    path: SandboxPath,
    content: FileContent,
    options: { readonly mode?: number; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
    const mode = wholeNumber('mode', options.mode ?? 0o644, 0, 0o777);
    return this.#use(() =>
      writeFile(this.#connection(), path, content, { mode, createParents: true, signal: options.signal }),
    );
  }

  /** Reads a regular file of at most `maxBytes` (default 64 MiB). */
  readFile(
    path: SandboxPath,
    options: { readonly maxBytes?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Buffer> {
    return this.#use(() => readFile(this.#connection(), path, options.maxBytes ?? 64 * 1_048_576, options.signal));
  }

  /** Entries of a directory, sorted by name; at most `maxEntries` (default 100,000). */
  list(path: SandboxPath, options: { readonly maxEntries?: number } = {}): Promise<readonly SandboxFile[]> {
    return this.#use(() => list(this.#connection(), path, options.maxEntries ?? 100_000));
  }

  /** Looks at a file; at a symbolic link itself where `followSymlinks` is false. Default true. */
  stat(path: SandboxPath, options: { readonly followSymlinks?: boolean } = {}): Promise<SandboxFile> {
    return this.#use(() => stat(this.#connection(), path, options.followSymlinks ?? true));
  }

  /** Removes a file or an empty directory; with `recursive` also what is in it, and a missing one is no error. */
  remove(path: SandboxPath, options: { readonly recursive?: boolean } = {}): Promise<void> {
    return this.#use(() => remove(this.#connection(), path, options.recursive ?? false));
  }

  /** Makes a directory; with `recursive` also its parents, and one that exists is no error. `mode` defaults to `0o755`. */
  mkdir(path: SandboxPath, options: { readonly recursive?: boolean; readonly mode?: number } = {}): Promise<void> {
    const mode = wholeNumber('mode', options.mode ?? 0o755, 0, 0o777);
    return this.#use(() => makeDirectory(this.#connection(), path, mode, options.recursive ?? false));
  }

  /** Copies a file, or a directory's content, of this host to `target` inside. */
  upload(source: string, target: SandboxPath, options: { readonly signal?: AbortSignal } = {}): Promise<CopySummary> {
    return this.#use(() => upload(this.#connection(), source, target, options.signal));
  }

  /** Copies a file, or a directory's content, out to `target` on this host; see `DownloadOptions` for the caps. */
  download(source: SandboxPath, target: string, options: DownloadOptions = {}): Promise<CopySummary> {
    return this.#use(() => download(this.#connection(), source, target, options));
  }

  /** Makes a port of this host lead to a TCP port inside the sandbox. */
  forwardPort(port: number, options: PortForwardOptions = {}): Promise<PortForward> {
    return this.#use(async () => {
      // A connection that is open is use, as far as the idle limit goes.
      const use = (closed: Promise<void>): void => void this.#use(() => closed).catch(() => undefined);
      const forward = await forwardPort(() => this.#connection(), use, port, options);
      void this.gone.then(() => forward.close());
      return forward;
    });
  }

  /** Sets the lifetime anew, counted from now; at most the policy's `lifetime`. */
  extendLifetime(remainingMs: number): void {
    wholeNumber('remainingMs', remainingMs, 1, this.#parts.policy.lifetimeMs);
    this.#connection().setLifetime(remainingMs);
    clearTimeout(this.#lifetime);
    this.#lifetime = setTimeout(
      () =>
        this.#end(
          gone(
            'lifetime',
            `its lifetime of ${remainingMs / 1_000} s was over; set a longer \`lifetime\` in the policy`,
          ),
        ),
      Math.min(remainingMs + lifetimeGraceMs, maxTimerMs),
    );
    this.#lifetime.unref();
  }

  /** Ends everything in the sandbox and removes it; resolves when it is gone from the engine. Idempotent. */
  destroy(): Promise<void> {
    this.#end(gone('destroyed', 'it was destroyed'));
    this.#destroyed ??= this.#remove();
    return this.#destroyed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  #connection(): Connection {
    if (this.#error) throw this.#error;
    return this.#parts.connection;
  }

  #spawn(argv: readonly string[], options: SpawnOptions, defaultTimeoutMs: number, stdin: boolean): SandboxProcess {
    const { policy, env } = this.#parts;
    const request = toExecRequest(argv, options, { policy, env, defaultTimeoutMs, stdin });
    return new SandboxProcess(this.#connection(), request, () =>
      this.#end(
        gone('host', `it did not end a command (${JSON.stringify(request.argv[0])}) that was due, so it was given up`),
      ),
    );
  }

  /** Counts what is under way, for the idle limit, and makes sure that the reason of the end is what callers see. */
  async #use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#error) throw this.#error;
    this.#busy += 1;
    clearTimeout(this.#idle);
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#restartIdle();
    }
  }

  #restartIdle(): void {
    const { idleMs } = this.#parts.policy;
    if (idleMs === 'off' || this.#error) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(
      () => this.#end(gone('lifetime', `nobody used it for ${idleMs / 1_000} s (\`idle\` in the policy)`)),
      Math.min(idleMs, maxTimerMs),
    );
    this.#idle.unref();
  }

  /** Removes the container; after a failure the next `destroy` tries again. The channel ends in any case, for it would keep the process alive. */
  async #remove(): Promise<void> {
    const { guard, container, spec } = this.#parts;
    try {
      await guard.destroy(container.id);
      releaseUser(spec.user.uid);
    } catch (error) {
      this.#destroyed = undefined;
      throw error;
    } finally {
      container.channel.destroy();
    }
  }

  /** The one place where a sandbox ends, whoever or whatever ends it. */
  #end(error: NanoclawError): void {
    if (this.#error) return;
    this.#error = error;
    clearTimeout(this.#lifetime);
    clearTimeout(this.#idle);
    const { connection, logger, id } = this.#parts;
    connection.close();
    connection.abandon(error);
    this.#destroyed = this.#remove();
    this.#destroyed.catch((cause: unknown) =>
      logger.warn({ sandbox: id, err: cause }, 'container not removed; a later sweep will'),
    );
    logger.info({ sandbox: id, code: error.code, reason: error.details.reason }, 'sandbox ended');
    this.#gone.resolve(error);
  }
}
