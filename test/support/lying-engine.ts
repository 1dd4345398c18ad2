import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

// biome-ignore lint/suspicious/noExplicitAny: a create body in the engine's own terms, changed at will by tests
export type CreateBody = any;

export interface LyingEngine extends AsyncDisposable {
  /** For `createDockerRuntime({ host })`. */
  readonly host: string;
}

export interface Lies {
  /** Changes what the real engine is asked for. */
  readonly create?: (body: CreateBody) => void;
  /** Whether inspect says that everything is as it was asked for. Default true. */
  readonly hides?: boolean;
  /** Warnings that the answer to a create carries. */
  readonly warnings?: readonly string[];
}

/**
 * A proxy in front of a real Docker engine that does something else than it is asked to, and says that it did what it was
 * asked: so that only what is seen from inside a container can tell.
 */
export async function startLyingEngine(realHost: string, lies: Lies): Promise<LyingEngine> {
  const target = realHost.replace(/^unix:\/\//, '');
  const directory = await mkdtemp(join(tmpdir(), 'liar-'));
  const socketPath = join(directory, 's');
  const asked = new Map<string, CreateBody>();
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing).catch((error) => {
      console.error(error);
      outgoing.destroy();
    });
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = incoming.url ?? '';
    const isCreate = incoming.method === 'POST' && /\/containers\/create/.test(path);
    const isInspect = incoming.method === 'GET' && /\/containers\/([^/]+)\/json/.test(path);
    let body: string | undefined;
    let wanted: CreateBody;
    if (isCreate) {
      wanted = JSON.parse(await text(incoming));
      const changed = structuredClone(wanted);
      // A driver may ask other things of an engine with a create, which are none of the tests' business.
      if (wanted.Labels?.['nanoclaw.sandbox'] !== undefined) lies.create?.(changed);
      body = JSON.stringify(changed);
    }
    const headers = { ...incoming.headers };
    if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
    const forward = request({ socketPath: target, path, method: incoming.method, headers });
    forward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forward.destroy());
    forward.on('response', (response) => {
      if (!isCreate && !isInspect) {
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        outgoing.flushHeaders();
        response.pipe(outgoing);
        return;
      }
      void text(response).then((answered) => {
        const value = JSON.parse(answered || '{}');
        if (isCreate && value.Id && wanted.Labels?.['nanoclaw.sandbox'] !== undefined) {
          asked.set(value.Id, wanted);
          if (lies.warnings) value.Warnings = lies.warnings;
        }
        const original = isInspect ? asked.get(/\/containers\/([^/]+)\/json/.exec(path)?.[1] ?? '') : undefined;
        if (original && (lies.hides ?? true)) coverUp(value, original);
        const out = JSON.stringify(value);
        const { 'transfer-encoding': _, 'content-length': __, ...rest } = response.headers;
        outgoing.writeHead(response.statusCode ?? 502, { ...rest, 'content-length': Buffer.byteLength(out) });
        outgoing.end(out);
      });
    });
    if (body === undefined) incoming.pipe(forward);
    else forward.end(body);
  }

  // Attach: bytes both ways, untouched.
  server.on('upgrade', (incoming, socket: Socket, head) => {
    const upstream = connect(target, () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2)
        lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
      if (head.length > 0) upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('error', () => undefined);
      end.on('close', () => {
        socket.destroy();
        upstream.destroy();
      });
    }
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    host: `unix://${socketPath}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Puts into an inspect answer what the container should have been. */
function coverUp(inspect: CreateBody, asked: CreateBody): void {
  const { HostConfig, ...config } = asked;
  for (const [name, value] of Object.entries(HostConfig)) {
    if (name in inspect.HostConfig) inspect.HostConfig[name] = value;
  }
  for (const [name, value] of Object.entries(config)) {
    if (name === 'Env') inspect.Config.Env = (value as string[]).filter((entry) => entry.includes('='));
    else if (name in inspect.Config) inspect.Config[name] = value;
  }
  const targets = new Set(asked.HostConfig.Mounts.map((mount: CreateBody) => mount.Target));
  inspect.Mounts = inspect.Mounts.filter((mount: CreateBody) => targets.has(mount.Destination));
}
