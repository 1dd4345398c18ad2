import { Duplex } from 'node:stream';
import { createError } from '@nanoclaw/core';
import { createDemultiplexer, type Demultiplexer } from './demultiplexer.ts';
import type { DiagnosticsTail } from './diagnostics-tail.ts';

export interface StdioChannelOptions {
  /** The engine's hijacked connection: framed output comes out, raw input goes in. */
  readonly socket: Duplex;
  /** Bytes that came with the answer to the upgrade. */
  readonly head: Buffer;
  /** Takes stderr, which is not part of the channel. */
  readonly diagnostics: DiagnosticsTail;
  /** Makes the error of a broken connection one of ours. */
  readonly mapError?: (error: Error) => Error;
}

/** What is read ahead for a consumer that is busy. Small, since a process may hold thousands of idle channels. */
const highWaterMarkBytes = 64 * 1024;

/**
 * Turns a hijacked attach connection into a channel. Backpressure is real both ways: a reader that stops, stops the
 * socket; a writer waits for the socket's drain. Ending the channel is end of input inside while output goes on.
 */
export function createStdioChannel(options: StdioChannelOptions): Duplex {
  return new StdioChannel(options);
}

class StdioChannel extends Duplex {
  readonly #socket: Duplex;
  readonly #demultiplexer: Demultiplexer;
  readonly #mapError: (error: Error) => Error;
  #wantsMore = true;
  #socketEnded = false;
  #onDrain: (() => void) | undefined;

  constructor({ socket, head, diagnostics, mapError = (error) => error }: StdioChannelOptions) {
    super({ highWaterMark: highWaterMarkBytes });
    this.#socket = socket;
    this.#mapError = mapError;
    this.#demultiplexer = createDemultiplexer({
      stdout: (payload) => {
        if (!this.push(payload)) this.#wantsMore = false;
      },
      stderr: (payload) => diagnostics.append(payload),
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#endReading());
    socket.on('error', (error: Error) => this.destroy(this.#mapError(error)));
    socket.on('close', () => this.#endReading());
    socket.on('drain', () => {
      const onDrain = this.#onDrain;
      this.#onDrain = undefined;
      onDrain?.();
    });
    if (head.length > 0) this.#receive(head);
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      this.#demultiplexer.push(chunk);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (!this.#wantsMore) this.#socket.pause();
  }

  #endReading(): void {
    if (this.#socketEnded || this.destroyed) return;
    this.#socketEnded = true;
    if (!this.#demultiplexer.atBoundary) {
      this.destroy(createError('ENGINE_ERROR', "The engine's output stream ended in the middle of a frame."));
      return;
    }
    // Destroyed only once the consumer has seen all of it: what came before the end is often why it ended.
    this.once('end', () => this.destroy());
    this.push(null);
    const onDrain = this.#onDrain;
    this.#onDrain = undefined;
    onDrain?.();
  }

  override _read(): void {
    this.#wantsMore = true;
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    // The container has ended: nobody will read this, and the end of the readable side says so.
    if (this.#socketEnded || this.#socket.writableEnded || this.#socket.destroyed) callback();
    else if (this.#socket.write(chunk)) callback();
    else this.#onDrain = callback;
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#socketEnded || this.#socket.destroyed) callback();
    else this.#socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }
}
