import { type ChildProcess, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { createError } from '@nanoclaw/core';
import { createDiagnosticsTail } from '@nanoclaw/driver-kit';
import type { DockerTransport } from './docker-connect.ts';

/**
 * A connection to an engine behind ssh, as the `docker` command makes it: `ssh HOST docker system dial-stdio`. The user's own
 * ssh brings his keys, agent, jump hosts and, above all, the check of the host key, which dockerode's ssh agent leaves out.
 */
export function dialSsh(
  transport: DockerTransport & { kind: 'ssh' },
  env: Readonly<Record<string, string | undefined>>,
): Duplex {
  const socketOption = transport.socketPath === undefined ? [] : ['--host', `unix://${transport.socketPath}`];
  const remote = ['docker', ...socketOption, 'system', 'dial-stdio'].map(quote);
  const argv = [
    '-T',
    '-o',
    'ConnectTimeout=30',
    '-o',
    'BatchMode=yes',
    ...(transport.user === undefined ? [] : ['-l', transport.user]),
    ...(transport.port === undefined ? [] : ['-p', String(transport.port)]),
    '--',
    transport.host,
    ...remote,
  ];
  // Not in our process group, so that an interrupt at the terminal reaches NanoClaw, which then ends its sandboxes in order.
  return new ChildConnection(
    spawn('ssh', argv, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...env }, detached: true }),
    transport.host,
  );
}

/** A child's stdio as one stream, with those methods of a socket that Node's http agent calls. */
class ChildConnection extends Duplex {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, host: string) {
    super();
    this.#child = child;
    const diagnostics = createDiagnosticsTail(2048);
    child.stderr?.on('data', (chunk: Buffer) => diagnostics.append(chunk));
    child.stdout?.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout?.pause();
    });
    child.stdin?.on('error', () => undefined);
    child.on('error', (error) => this.destroy(unavailable(host, `ssh can't be started: ${error.message}`, error)));
    // The end is told once it is known why: ssh's output ends before it says so.
    child.on('close', (code, signal) => {
      if (this.destroyed) return;
      const words = diagnostics.text().trim() || `ssh ended with ${signal ?? `status ${code}`}`;
      if (code === 0) this.push(null);
      else this.destroy(unavailable(host, words));
    });
  }

  override _read(): void {
    this.#child.stdout?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const { stdin } = this.#child;
    if (stdin === null || stdin.destroyed) callback();
    else if (stdin.write(chunk)) callback();
    else stdin.once('drain', () => callback());
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#child.stdin?.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#child.kill('SIGKILL');
    callback(error);
  }

  ref(): this {
    return this.#forEachHandle((handle) => handle.ref?.());
  }

  unref(): this {
    return this.#forEachHandle((handle) => handle.unref?.());
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  #forEachHandle(apply: (handle: { ref?(): void; unref?(): void }) => void): this {
    const { stdin, stdout, stderr } = this.#child;
    for (const handle of [this.#child, stdin, stdout, stderr]) {
      if (handle !== null) apply(handle as { ref?(): void; unref?(): void });
    }
    return this;
  }
}

function unavailable(host: string, reason: string, cause?: unknown): Error {
  return createError(
    'ENGINE_UNAVAILABLE',
    `No Docker engine behind ssh://${host}: ${reason}. 'ssh ${host} docker version' must work without a question.`,
    {},
    cause,
  );
}

/** The remote side is a shell. */
function quote(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
