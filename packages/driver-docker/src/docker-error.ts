import { type ContainerSpec, createError, isNanoclawError, type NanoclawError } from '@nanoclaw/core';
import { escapeControlCharacters } from '@nanoclaw/driver-kit';
import type { DockerEndpoint } from './docker-connect.ts';

/** What an error of dockerode, of its HTTP connection or of ours may carry. */
interface EngineError {
  readonly message: string;
  readonly code: string | undefined;
  readonly statusCode: number | undefined;
}

/** Makes one clear error, with the next step, of whatever speaking to the engine threw. */
export function toDockerError(error: unknown, endpoint: Pick<DockerEndpoint, 'address' | 'source'>): NanoclawError {
  if (isNanoclawError(error)) return error;
  const found = read(error);
  const where = `${endpoint.address} (from ${endpoint.source})`;
  return fromAbort(error, found) ?? fromSocket(error, found, where) ?? fromAnswer(error, found, where);
}

/** The engine's HTTP status, where an answer of the engine's is what an error goes back to. */
export function statusCodeOf(error: unknown): number | undefined {
  return isNanoclawError(error) ? statusCodeOf(error.cause) : read(error).statusCode;
}

function fromAbort(cause: unknown, { code }: EngineError): NanoclawError | undefined {
  const isAbort = cause instanceof Error && (cause.name === 'AbortError' || code === 'ABORT_ERR');
  return isAbort ? createError('ABORTED', 'The call to Docker was given up by its caller.', {}, cause) : undefined;
}

function fromSocket(cause: unknown, { code, message }: EngineError, where: string): NanoclawError | undefined {
  const unavailable = (text: string, cure: string) =>
    createError('ENGINE_UNAVAILABLE', `${text} ${cure}`, { cure }, cause);
  switch (code) {
    case 'ENOENT':
      return unavailable(
        `No Docker engine at ${where}: the socket does not exist.`,
        "Start Docker ('sudo systemctl start docker', or Docker Desktop), or set DOCKER_HOST to where it listens.",
      );
    case 'EACCES':
    case 'EPERM':
      return unavailable(
        `No permission to use the Docker engine at ${where}.`,
        "Add yourself to the group that owns the socket ('sudo usermod -aG docker $USER', then log in again), run as root, or use rootless Docker.",
      );
    case 'ECONNREFUSED':
      return unavailable(
        `Nothing listens at ${where}.`,
        "Start Docker ('sudo systemctl start docker'), or set DOCKER_HOST to where it listens.",
      );
    case 'ENOTSOCK':
      return unavailable(`${where} is not a socket.`, 'Set DOCKER_HOST to the socket of a Docker engine.');
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return unavailable(
        `The Docker engine at ${where} can't be reached: ${message}.`,
        'Check the address and the network.',
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return unavailable(
        `The Docker engine at ${where} closed the connection.`,
        "Is it still running? 'docker version' tells.",
      );
    case 'HPE_INVALID_CONSTANT':
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return unavailable(
        `What listens at ${where} does not speak Docker's API in this way: ${message}.`,
        'Check the port, and whether DOCKER_TLS_VERIFY has to be set.',
      );
    default:
      if (code !== undefined && /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL)/.test(code)) {
        return unavailable(
          `TLS with the Docker engine at ${where} failed: ${message}.`,
          'Check ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH.',
        );
      }
      return undefined;
  }
}

function fromAnswer(cause: unknown, { message, statusCode }: EngineError, where: string): NanoclawError {
  const text = oneLine(message);
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    const cure = "Free some: 'docker system df' shows what is used, 'docker system prune' removes what nobody needs.";
    return createError('NO_SPACE', `The engine's disk is full (${text}). ${cure}`, { cure }, cause);
  }
  if (
    /unknown or invalid runtime name|unknown runtime specified|runtime "?[\w.]+"? (?:binary )?not (?:found|installed)/i.test(
      text,
    )
  ) {
    const cure =
      'Register it under "runtimes" in /etc/docker/daemon.json and restart Docker, or choose another runtime or isolation.';
    return createError(
      'CONTROL_UNSUPPORTED',
      `Docker does not know the OCI runtime that was asked for (${text}). ${cure}`,
      { control: 'isolation', cure },
      cause,
    );
  }
  if (statusCode === 404 && /no such image/i.test(text)) {
    return createError(
      'IMAGE_NOT_FOUND',
      `The engine no longer has the image (${text}). Make it available again with ensureImage, or pull it.`,
      {},
      cause,
    );
  }
  if (statusCode === 404 && /no such container/i.test(text)) {
    return createError('SANDBOX_GONE', `The engine has no such container (${text}).`, { reason: 'engine' }, cause);
  }
  if (statusCode === 403) {
    return createError(
      'ENGINE_ERROR',
      `Docker refused the call (${text}): an authorization plugin or a socket proxy at ${where} forbids it. Allow containers, images, events, volumes and attach.`,
      {},
      cause,
    );
  }
  const status = statusCode === undefined ? '' : ` with HTTP ${statusCode}`;
  return createError('ENGINE_ERROR', `Docker at ${where} answered${status}: ${text}`, {}, cause);
}

/** An error that happened while a container was started: says what is wrong with the image, the runner or the settings. */
export function toStartError(error: NanoclawError, spec: Pick<ContainerSpec, 'command' | 'openFiles'>): NanoclawError {
  if (error.code !== 'ENGINE_ERROR' || statusCodeOf(error) === undefined) return error;
  const [runner] = spec.command;
  const text = oneLine(read(error.cause).message);
  if (/exec format error/i.test(text)) {
    return createError(
      'RUNNER_MISSING',
      `The runner ${runner} is built for another architecture than the engine's (${text}).`,
      { path: runner },
      error,
    );
  }
  if (text.includes(runner) && /no such file or directory|not found|permission denied/i.test(text)) {
    return createError(
      'RUNNER_MISSING',
      `The container can't execute the runner ${runner} (${text}). Is the disk it is mounted from mounted noexec? XDG_STATE_HOME chooses another.`,
      { path: runner },
      error,
    );
  }
  if (/setting rlimit/i.test(text)) {
    const cure = `Lower the policy's open files below ${spec.openFiles}, or raise the engine's own limit (LimitNOFILE of docker.service).`;
    return createError(
      'CONTROL_UNSUPPORTED',
      `The engine may not set the limit of open files that the policy asks for (${text}). ${cure}`,
      { control: 'open-files', cure },
      error,
    );
  }
  return createError('START_FAILED', `Docker could not start the container: ${text}`, {}, error);
}

export function oneLine(text: string): string {
  return escapeControlCharacters(text.trim().replace(/\s*\n\s*/g, ' ')).slice(0, 2000);
}

function read(error: unknown): EngineError {
  if (typeof error !== 'object' || error === null)
    return { message: String(error), code: undefined, statusCode: undefined };
  const json = 'json' in error && typeof error.json === 'object' && error.json !== null ? error.json : {};
  const fromJson = 'message' in json && typeof json.message === 'string' ? json.message : undefined;
  const own = 'message' in error && typeof error.message === 'string' ? error.message : String(error);
  return {
    message: fromJson ?? own,
    code: 'code' in error && typeof error.code === 'string' ? error.code : undefined,
    statusCode: 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined,
  };
}
