import type { Duplex } from 'node:stream';
import { createStdioChannel, type DiagnosticsTail } from '@nanoclaw/driver-kit';
import type { DockerApi } from './docker-api.ts';
import { toDockerError } from './docker-error.ts';

/**
 * Attaches to a container's stdio before it is started, so that not a byte is missed. The request is made by hand: dockerode's
 * own attach writes its options as JSON into the container's stdin.
 */
export async function attachDockerChannel(
  api: DockerApi,
  containerId: string,
  diagnostics: DiagnosticsTail,
  signal: AbortSignal,
): Promise<Duplex> {
  const path = `/containers/${encodeURIComponent(containerId)}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
  const { socket, head } = await api.upgrade(path, signal);
  if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay(true);
  if ('setKeepAlive' in socket && typeof socket.setKeepAlive === 'function') socket.setKeepAlive(true, 30_000);
  const channel = createStdioChannel({
    socket,
    head,
    diagnostics,
    mapError: (error) => toDockerError(error, api.endpoint),
  });
  // It may break before anybody listens; then its end is what is noticed, and `destroyed`.
  channel.on('error', () => undefined);
  return channel;
}
