import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { createError } from '@nanoclaw/core';
import Docker from 'dockerode';
import type { DockerEndpoint, DockerTransport, TlsMaterial } from './docker-connect.ts';
import { toDockerError } from './docker-error.ts';
import { dialSsh } from './docker-ssh.ts';

/** The API that every field we send exists in: Docker 20.10. */
export const minimumApiVersion = '1.41';
/** The newest API whose description was read for this driver; a newer engine is spoken to in this one. */
export const maximumApiVersion = '1.51';

export interface DockerRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Without the version. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface DockerUpgrade {
  readonly socket: Duplex;
  /** Bytes that came along with the answer. */
  readonly head: Buffer;
}

/** One engine's API: dockerode for all of it, but for the hijacked attach and answers that dockerode throws away. */
export interface DockerApi {
  readonly docker: Docker;
  readonly endpoint: DockerEndpoint;
  /** The API version that everything is said in: `1.41`. */
  readonly version: string;
  useVersion(version: string): void;
  /** One call with a JSON answer. */
  call<Answer>(request: DockerRequest): Promise<Answer>;
  /** A POST without a body whose connection is then ours, raw. */
  upgrade(path: string, signal: AbortSignal): Promise<DockerUpgrade>;
  close(): void;
}

/** The parts of docker-modem that this file relies on. */
interface Modem {
  version?: string;
  dial(options: object, callback: (error: Error | null, data: unknown) => void): void;
}

export function createDockerApi(
  endpoint: DockerEndpoint,
  env: Readonly<Record<string, string | undefined>>,
): DockerApi {
  const connection = toConnection(endpoint.transport, env);
  const docker = new Docker(connection.modemOptions);
  const modem = docker.modem as Modem;
  let version = minimumApiVersion;

  return {
    docker,
    endpoint,
    get version() {
      return version;
    },
    useVersion(negotiated) {
      version = negotiated;
      modem.version = `v${negotiated}`;
    },
    async call<Answer>({ method, path, query, body, signal }: DockerRequest): Promise<Answer> {
      const search = query === undefined ? '' : `?${new URLSearchParams(query)}`;
      const dial = () =>
        new Promise<unknown>((resolve, reject) => {
          // The modem cuts the last character off a path with a question mark, where it expects to add its own query.
          const options = {
            path: search === '' ? path : `${path}${search}&`,
            method,
            abortSignal: signal,
            statusCodes: { 200: true, 201: true, 204: true, 304: true },
            ...(body === undefined ? {} : { options: { _query: {}, _body: body } }),
          };
          modem.dial(options, (error, data) => (error === null ? resolve(data) : reject(error)));
        });
      try {
        return (await dial().catch((error: unknown) => {
          // A kept connection that the engine closed at this very moment: nothing was done, and asking again is harmless.
          if (method === 'GET' && isReset(error) && signal?.aborted !== true) return dial();
          throw error;
        })) as Answer;
      } catch (error) {
        throw toDockerError(error, endpoint);
      }
    },
    upgrade(path, signal) {
      return new Promise((resolve, reject) => {
        const fail = (error: unknown) => reject(toDockerError(error, endpoint));
        const request = connection.request({
          method: 'POST',
          path: `/v${version}${path}`,
          headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
        });
        // Not the request's own `signal` option: it would go on to destroy the socket when it is long a channel.
        const onAbort = () => request.destroy(new DOMException('The attach was given up.', 'AbortError'));
        if (signal.aborted) onAbort();
        signal.addEventListener('abort', onAbort);
        request.on('close', () => signal.removeEventListener('abort', onAbort));
        request.on('error', fail);
        request.on('upgrade', (_response: IncomingMessage, socket: Duplex, head: Buffer) => {
          signal.removeEventListener('abort', onAbort);
          resolve({ socket, head });
        });
        request.on('response', (response: IncomingMessage) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', fail);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            fail(
              Object.assign(new Error(messageOf(text)), {
                statusCode: response.statusCode,
                json: { message: messageOf(text) },
              }),
            );
          });
        });
        request.end();
      });
    },
    close: () => connection.close(),
  };
}

interface Connection {
  readonly modemOptions: Docker.DockerOptions;
  /** A request on a connection of its own. */
  request(options: RequestOptions): ClientRequest;
  close(): void;
}

/** Thousands of waiting calls must not open thousands of sockets; calls are short, and streams have sockets of their own. */
const agentOptions: AgentOptions = {
  keepAlive: true,
  keepAliveMsecs: 15_000,
  maxFreeSockets: 8,
  maxSockets: 64,
  scheduling: 'lifo',
};

function toConnection(transport: DockerTransport, env: Readonly<Record<string, string | undefined>>): Connection {
  // The modem mixes what DOCKER_HOST says into whatever it isn't told, so every option is named.
  const unset = {
    host: undefined,
    port: undefined,
    protocol: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
    timeout: undefined,
    username: undefined,
    pathPrefix: '/',
  };
  switch (transport.kind) {
    case 'unix': {
      const agent = new HttpAgent(agentOptions);
      return {
        modemOptions: options({ ...unset, protocol: 'http', socketPath: transport.path, agent }),
        request: (request) => httpRequest({ ...request, socketPath: transport.path, agent: false }),
        close: () => agent.destroy(),
      };
    }
    case 'tcp': {
      const { host, port, tls } = transport;
      if (tls === undefined) {
        const agent = new HttpAgent(agentOptions);
        return {
          modemOptions: options({ ...unset, protocol: 'http', host, port, agent }),
          request: (request) => httpRequest({ ...request, host, port, agent: false }),
          close: () => agent.destroy(),
        };
      }
      const secure = toSecureOptions(tls);
      const agent = new HttpsAgent({ ...agentOptions, ...secure });
      return {
        modemOptions: options({ ...unset, protocol: 'https', host, port, agent, ...secure }),
        request: (request) => httpsRequest({ ...request, ...secure, host, port, agent: false }),
        close: () => agent.destroy(),
      };
    }
    case 'ssh': {
      const agent = new HttpAgent(agentOptions);
      const createConnection = () => dialSsh(transport, env);
      Object.assign(agent, { createConnection });
      return {
        modemOptions: options({ ...unset, protocol: 'http', host: 'docker', port: 80, agent }),
        request: (request) => httpRequest({ ...request, host: 'docker', createConnection } as RequestOptions),
        close: () => agent.destroy(),
      };
    }
  }
}

function toSecureOptions({ ca, cert, key, verify }: TlsMaterial) {
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function options(value: Record<string, unknown>): Docker.DockerOptions {
  return value as Docker.DockerOptions;
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function messageOf(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed && typeof parsed.message === 'string')
      return parsed.message;
  } catch {
    // Not JSON: the text itself is what there is.
  }
  return text.trim();
}

/** The version to speak: the engine's, but no newer than what we know. Throws `NOT_SUPPORTED` below the minimum. */
export function negotiateApiVersion(engine: {
  readonly apiVersion: string;
  readonly minApiVersion: string;
  readonly description: string;
}): string {
  if (compareVersions(engine.apiVersion, minimumApiVersion) < 0) {
    throw createError(
      'NOT_SUPPORTED',
      `NanoClaw needs Docker Engine 20.10 or newer (API ${minimumApiVersion}), found ${engine.description} with API ${engine.apiVersion}. Upgrade the engine.`,
    );
  }
  if (compareVersions(engine.minApiVersion, maximumApiVersion) > 0) {
    throw createError(
      'NOT_SUPPORTED',
      `${engine.description} speaks API ${engine.minApiVersion} and newer, this NanoClaw up to ${maximumApiVersion}. Upgrade NanoClaw.`,
    );
  }
  return compareVersions(engine.apiVersion, maximumApiVersion) > 0 ? maximumApiVersion : engine.apiVersion;
}

/** Compares dotted versions by their numbers: negative where `a` is older. */
export function compareVersions(a: string, b: string): number {
  const left = numbers(a);
  const right = numbers(b);
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbers(version: string): number[] {
  return (/^\D*([\d.]+)/.exec(version)?.[1] ?? '0').split('.').map(Number);
}
