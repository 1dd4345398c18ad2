import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** Docker's API spoken bare, without any of our driver: what the driver's cost is measured against. */
export interface EngineApi {
  /** One call; answers its JSON, or nothing. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Readonly<Record<string, unknown>>>;
  /** A hijacked POST: the connection is then a stream. */
  upgrade(path: string, body?: object): Promise<Duplex>;
  close(): void;
}

/** `undefined` for an address that isn't spoken to here (TLS, ssh). */
export function createEngineApi(address: string, version: string): EngineApi | undefined {
  const target = toTarget(address);
  if (target === undefined) return undefined;
  const agent = new Agent({ keepAlive: true });
  const headers = (text: string | undefined): Record<string, string | number> => ({
    Host: 'docker',
    ...(text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
  });
  return {
    call(method, path, body) {
      const text = body && JSON.stringify(body);
      return new Promise((resolve, reject) => {
        const options = { ...target, agent, method, path: `/v${version}${path}`, headers: headers(text) };
        const call = httpRequest(options, (response) => {
          readAll(response).then((answer) => {
            if ((response.statusCode ?? 500) < 400) resolve(parseObject(answer));
            else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${answer.slice(0, 300)}`));
          }, reject);
        });
        call.on('error', reject);
        call.end(text);
      });
    },
    upgrade(path, body) {
      const text = body && JSON.stringify(body);
      return new Promise((resolve, reject) => {
        const options = {
          ...target,
          agent: false,
          method: 'POST',
          path: `/v${version}${path}`,
          headers: { ...headers(text), Connection: 'Upgrade', Upgrade: 'tcp' },
        };
        const call = httpRequest(options, (response) => {
          reject(new Error(`POST ${path} answered ${response.statusCode}`));
          response.resume();
        });
        call.on('upgrade', (_response, socket: Duplex, head: Buffer) => {
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
        call.on('error', reject);
        call.end(text);
      });
    },
    close: () => agent.destroy(),
  };
}

function toTarget(address: string): { socketPath: string } | { host: string; port: number } | undefined {
  if (address.startsWith('unix://')) return { socketPath: address.slice('unix://'.length) };
  const match = /^tcp:\/\/([^/:]+):(\d+)\/?$/.exec(address);
  const [, host, port] = match ?? [];
  return host === undefined || process.env.DOCKER_TLS_VERIFY ? undefined : { host, port: Number(port) };
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = text.trim() === '' ? {} : JSON.parse(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
