import { randomBytes } from 'node:crypto';
import { attest } from '../attestation/attest.ts';
import { createError, isNanoclawError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { accountFiles, hostsFile } from '../policy/account-files.ts';
import { parseEnvironment } from '../policy/environment.ts';
import { parseImageReference } from '../policy/image-reference.ts';
import { resolveMounts } from '../policy/mounts.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { PolicyInput, PresetName } from '../policy/policy-input.ts';
import { assertSupported } from '../policy/requirements.ts';
import { resolveSpec, sandboxHostname } from '../policy/resolve-spec.ts';
import { Connection } from '../protocol/connection.ts';
import { defaultHeartbeat, type HeartbeatTimes } from '../protocol/heartbeat.ts';
import type { RuntimeCapabilities } from '../runtime/capabilities.ts';
import type { ContainerSpec } from '../runtime/container-spec.ts';
import { aborted, type Deadlines, defaultDeadlines, RuntimeGuard } from '../runtime/guard.ts';
import type { ImageProgress, ImageSource } from '../runtime/image.ts';
import { knownCapabilities } from '../runtime/known-capabilities.ts';
import type { SandboxRuntime, StartedContainer } from '../runtime/sandbox-runtime.ts';
import { explainEnd } from './gone.ts';
import { labelNames, managedLabels } from './labels.ts';
import { runnerFile, runnerPath } from './runner-files.ts';
import { Sandbox, type StartTimings } from './sandbox.ts';
import { keepSwept } from './sweep.ts';
import { allocateUser, releaseUser } from './user-allocator.ts';

/** What a sandbox is made from. */
export interface CreateSandboxOptions {
  readonly runtime: SandboxRuntime;
  /** A reference such as `python:3.11-slim` (pulled where it is missing), or where else the image comes from. */
  readonly image: string | ImageSource;
  /** A preset's name, or fields as `docs/policy.md` has them. Default: the preset `default`. */
  readonly policy?: PresetName | PolicyInput;
  /** Environment of every command; a command's own comes on top. */
  readonly env?: Readonly<Record<string, string>>;
  /** Labels of the container, beside ours. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Aborts the start; nothing is left then. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ImageProgress) => void;
  /** Where events go; a pino logger fits. Default: nowhere. */
  readonly logger?: Logger;
  readonly deadlines?: Partial<Deadlines>;
  readonly heartbeat?: Partial<HeartbeatTimes>;
}

/** How long the runner may take to say hello once its container runs. */
const helloTimeoutMs = 10_000;
/** How often a uid that another process drew too is replaced. */
const maxUserAttempts = 3;

/**
 * Starts a container, verifies it from inside, and hands it over; resolves when the first command can run.
 *
 * Nothing untrusted has run by then. All or nothing: rejected means that nothing is left. Errors: `INVALID_POLICY`,
 * `INVALID_ARGUMENT`, `ENGINE_UNAVAILABLE`, `IMAGE_NOT_FOUND`, `IMAGE_UNUSABLE`, `CONTROL_UNSUPPORTED` (the engine can't
 * enforce the policy), `POLICY_NOT_ENFORCED` (it said that it can, and didn't), `START_FAILED`, `TIMEOUT`, `ABORTED`.
 */
export async function createSandbox(options: CreateSandboxOptions): Promise<Sandbox> {
  const startedMs = performance.now();
  const logger = options.logger ?? silentLogger;
  const policy = parsePolicy(options.policy ?? 'default');
  const env = parseEnvironment(options.env ?? {});
  const source = toImageSource(options.image);
  const guard = new RuntimeGuard(options.runtime, { logger, deadlines: { ...defaultDeadlines, ...options.deadlines } });
  const { signal } = options;

  const capabilities = await knownCapabilities(guard, signal);
  const capabilitiesMs = performance.now();
  assertSupported(policy, capabilities);
  for (const warning of capabilities.warnings) logger.warn({ runtime: options.runtime.name }, warning);
  const [image, runner, mounts] = await Promise.all([
    guard.ensureImage(source, { signal, onProgress: options.onProgress }),
    runnerFile(capabilities.architecture),
    resolveMounts(policy.mounts, {
      sharesFiles: capabilities.sharesFiles,
      engineSockets: capabilities.engineSockets,
    }),
  ]);
  const imageMs = performance.now();
  keepSwept(guard);

  for (let attempt = 1; ; attempt += 1) {
    const id = randomBytes(6).toString('hex');
    const user = policy.user === 'auto' ? allocateUser(capabilities.userRange) : policy.user;
    try {
      const spec = resolveSpec({
        policy,
        capabilities,
        image,
        sandboxId: id,
        user,
        files: [runner, ...accountFiles({ ...user, home: policy.home }), hostsFile(sandboxHostname)],
        mounts,
        runnerCommand: [runnerPath],
        labels: {
          ...options.labels,
          ...managedLabels,
          [labelNames.sandbox]: id,
          [labelNames.uid]: String(user.uid),
        },
      });
      const heartbeat = { ...defaultHeartbeat, ...options.heartbeat };
      const started = await startVerified({
        guard,
        spec,
        capabilities,
        heartbeat,
        signal,
        exclusiveUser: policy.user === 'auto',
      });
      const timings: StartTimings = {
        capabilitiesMs: round(capabilitiesMs - startedMs),
        imageMs: round(imageMs - capabilitiesMs),
        startMs: started.startMs,
        helloMs: started.helloMs,
        totalMs: round(performance.now() - startedMs),
      };
      logger.info({ sandbox: id, container: started.container.id, ...timings }, 'sandbox ready');
      return new Sandbox({ ...started, id, guard, spec, policy, env: { ...spec.env, ...env }, timings, logger });
    } catch (error) {
      if (policy.user === 'auto') releaseUser(user.uid);
      if (error !== userTaken || attempt === maxUserAttempts) throw error;
    }
  }
}

const userTaken = createError('START_FAILED', 'Another sandbox on this engine has drawn the same user id; try again.');

interface StartContext {
  readonly guard: RuntimeGuard;
  readonly spec: ContainerSpec;
  readonly capabilities: RuntimeCapabilities;
  readonly heartbeat: HeartbeatTimes;
  readonly signal: AbortSignal | undefined;
  readonly exclusiveUser: boolean;
}

/** Starts a container and holds it to its spec; whatever goes wrong destroys it. */
async function startVerified(context: StartContext) {
  const { guard, spec, capabilities, signal } = context;
  const beginMs = performance.now();
  const container = await guard.start(spec, signal);
  const startedMs = performance.now();
  const connection = new Connection(container.channel, context.heartbeat);
  try {
    const [welcome] = await Promise.all([
      greet(connection, container, spec, signal),
      context.exclusiveUser ? assertUserIsOurs(guard, spec, container.id, signal) : undefined,
    ]);
    const attestation = attest({ spec, report: welcome.report, capabilities }, guard.runtime.name, welcome.runner);
    const times = { startMs: round(startedMs - beginMs), helloMs: round(performance.now() - startedMs) };
    return { container, connection, attestation, ...times };
  } catch (error) {
    connection.close();
    await guard.destroy(container.id).catch(() => undefined);
    container.channel.destroy();
    throw error;
  }
}

async function greet(
  connection: Connection,
  container: StartedContainer,
  spec: ContainerSpec,
  signal: AbortSignal | undefined,
) {
  const stop = Promise.withResolvers<never>();
  stop.promise.catch(() => undefined);
  const onAbort = (): void => stop.reject(aborted('start', signal));
  const timer = setTimeout(
    () => stop.reject(startFailed(`the runner said nothing for ${helloTimeoutMs / 1_000} s`, connection, container)),
    helloTimeoutMs,
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    const welcome = connection.hello({
      user: spec.user,
      rlimits: { nofile: spec.openFiles, nproc: null, core: 0, fsize: null },
      maskedPaths: [...spec.maskedPaths, ...spec.readOnlyPaths],
    });
    return await Promise.race([welcome, stop.promise]);
  } catch (error) {
    if (isNanoclawError(error) && error.code !== 'SANDBOX_GONE' && error.code !== 'PROTOCOL_VIOLATION') throw error;
    const reason = await explainEnd(await connection.ended, container.exited);
    throw startFailed(reason.message, connection, container, reason);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** RLIMIT_NPROC and more are shared by equal uids, so no two sandboxes of an engine may have the same. */
async function assertUserIsOurs(
  guard: RuntimeGuard,
  spec: ContainerSpec,
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const sharing = await guard.list({ [labelNames.uid]: String(spec.user.uid) }, signal);
  if (sharing.some((other) => other.id !== id && other.state !== 'exited' && other.state !== 'dead')) throw userTaken;
}

function startFailed(
  why: string,
  connection: Connection,
  container: StartedContainer,
  cause?: NanoclawError,
): NanoclawError {
  const wrote = [connection.firstOutput, container.diagnostics()].filter((text) => text !== '').join(' | ');
  return createError(
    'START_FAILED',
    `The sandbox did not start: ${why}${wrote === '' ? '' : ` What came instead of its greeting: ${wrote}`}`,
    {},
    cause,
  );
}

function toImageSource(image: string | ImageSource): ImageSource {
  const source: ImageSource =
    typeof image === 'string' ? { kind: 'reference', reference: image, pull: 'missing' } : image;
  if (source.kind === 'reference') return { ...source, reference: parseImageReference(source.reference) };
  if (source.kind === 'build') return { ...source, tag: parseImageReference(source.tag) };
  return source;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
