import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import { connectedSchema } from '../protocol/messages.ts';
import { wholeNumber } from './exec-options.ts';
import { toReadable, toWritable } from './lane-streams.ts';
import { Transfer } from './transfer.ts';

export interface PortForwardOptions {
  /** Loopback address inside; default `127.0.0.1`. */
  readonly sandboxHost?: '127.0.0.1' | '::1';
  /** Where to listen on this host; default `127.0.0.1`. */
  readonly host?: string;
  /** Port on this host; default 0, a free one. */
  readonly port?: number;
}

/** A port of this host that leads to one inside the sandbox. */
export interface PortForward extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Stops listening and ends its connections. */
  close(): Promise<void>;
}

export async function forwardPort(
  connect: () => Connection,
  use: (closed: Promise<void>) => void,
  sandboxPort: number,
  options: PortForwardOptions = {},
): Promise<PortForward> {
  wholeNumber('port', sandboxPort, 1, 65_535);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    use(closed.then(() => void sockets.delete(socket)));
    relay(connect, socket, sandboxPort, options.sandboxHost ?? '127.0.0.1');
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        createError('INVALID_ARGUMENT', `Cannot listen on ${host}:${options.port ?? 0}: ${error.message}.`, {}, error),
      ),
    );
    server.listen({ host, port: options.port ?? 0 }, resolve);
  });
  // A connection that could not be accepted is its client's trouble.
  server.on('error', () => undefined);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { host, port: (server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: close };
}

function relay(connect: () => Connection, socket: Socket, port: number, host: string): void {
  // A socket that breaks ends its stream below; there is nobody else to tell.
  socket.on('error', () => undefined);
  let transfer: Transfer<{ event: 'connected' }>;
  try {
    transfer = new Transfer(
      connect(),
      { kind: 'connect', host, port },
      connectedSchema,
      `Cannot connect to port ${port} in the sandbox`,
      {
        silence: false,
      },
    );
  } catch {
    socket.destroy();
    return;
  }
  const incoming = toReadable(transfer.stream.input[0]);
  const outgoing = toWritable(transfer.stream.output);
  incoming.on('error', () => socket.destroy());
  outgoing.on('error', () => socket.destroy());
  socket.pipe(outgoing);
  incoming.pipe(socket);
  socket.on('close', () => transfer.stream.reset('cancelled', 'the client went away'));
  transfer.answer.catch(() => socket.destroy());
}
