import type { z } from 'zod';
import { createError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import { parseMessage } from '../protocol/messages.ts';
import type { MuxStream, StreamListener, StreamReset } from '../protocol/mux-stream.ts';
import { violation } from '../protocol/violation.ts';
import { toStreamError } from './stream-error.ts';

/** Longest silence of the runner while it owes us something. */
const silenceMs = 60_000;

/** An OPEN: its kind and that kind's arguments. */
export type StreamRequest = { readonly kind: string; readonly [argument: string]: unknown };

/**
 * One request to the runner that is answered with data, one message and the stream's end. A runner that owes an answer and
 * stays silent is given up with `TIMEOUT`; time in which it waits for us doesn't count.
 */
export class Transfer<Answer> {
  readonly stream: MuxStream;
  readonly #answer = Promise.withResolvers<Answer>();
  #onOver: (() => void) | undefined;
  #isOver = false;
  readonly #timer: NodeJS.Timeout;
  #value: Answer | undefined;

  constructor(
    connection: Connection,
    request: StreamRequest,
    schema: z.ZodType<Answer>,
    what: string,
    options: { readonly silence: boolean } = { silence: true },
  ) {
    this.#answer.promise
      .catch(() => undefined)
      .finally(() => {
        this.#isOver = true;
        this.#onOver?.();
      });
    const listener: StreamListener = {
      message: (value) => {
        if (this.#value !== undefined) throw violation('a second answer');
        this.#value = parseMessage(schema, value);
      },
      closed: (error) => this.#closed(error, what),
    };
    this.stream = connection.open(request, listener);
    this.#timer = setTimeout(() => this.#silent(what), silenceMs);
    this.#timer.unref();
    if (!options.silence) clearTimeout(this.#timer);
  }

  /** Resolves with the answer once the runner has closed the stream; rejects with a typed error. */
  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  /** Called when there is nothing left to wait for; at once where that is so already. */
  set onOver(listener: (() => void) | undefined) {
    if (this.#isOver) listener?.();
    else this.#onOver = listener;
  }

  /** Tells that something moved. */
  progress(): void {
    this.#timer.refresh();
  }

  /** Gives the request up, e.g. because the caller aborted. */
  cancel(error: NanoclawError): void {
    clearTimeout(this.#timer);
    this.#answer.reject(error);
    this.stream.reset('cancelled', error.code);
  }

  #closed(error: NanoclawError | StreamReset | undefined, what: string): void {
    clearTimeout(this.#timer);
    if (error === undefined && this.#value !== undefined) this.#answer.resolve(this.#value);
    else this.#answer.reject(toStreamError(error, what, 'file'));
  }

  #silent(what: string): void {
    if (this.stream.input.some((lane) => lane.blocked)) {
      this.#timer.refresh();
      return;
    }
    this.cancel(
      createError('TIMEOUT', `${what}: the sandbox was silent for ${silenceMs / 1_000} s.`, { timeoutMs: silenceMs }),
    );
  }
}

/** A request whose answer is its one message. */
export function ask<Answer>(
  connection: Connection,
  request: StreamRequest,
  schema: z.ZodType<Answer>,
  what: string,
): Promise<Answer> {
  const transfer = new Transfer(connection, request, schema, what);
  for (const lane of transfer.stream.input) lane.discardAll();
  return transfer.answer;
}
