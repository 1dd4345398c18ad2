import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { createError, isNanoclawError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import { printable } from '../text.ts';
import { encodeFrame, encodeJson, type Frame, frameTypes, maxOpenBytes, protocolVersion } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { defaultHeartbeat, Heartbeat, type HeartbeatTimes } from './heartbeat.ts';
import { WindowBudget } from './lanes.ts';
import { goodbyeSchema, parseMessage, welcomeSchema } from './messages.ts';
import { MuxStream, type StreamListener, type StreamTransport } from './mux-stream.ts';
import { parseStrictJson } from './strict-json.ts';
import { violation } from './violation.ts';

const maxHostStreams = 128;
const maxRunnerStreams = 256;
/** What may lie unread in front of a runner that doesn't read our answers. */
const maxUnreadReplyBytes = 8 * 1_048_576;

export interface HelloRequest {
  /** Paths whose masking the report is to show. */
  readonly maskedPaths: readonly string[];
  readonly user: { readonly uid: number; readonly gid: number };
  readonly rlimits: {
    readonly nofile: number;
    readonly nproc: number | null;
    readonly core: number;
    readonly fsize: number | null;
  };
}

export type Welcome = z.infer<typeof welcomeSchema>;

/** Why a connection is over. */
export type ConnectionEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'goodbye'; readonly reason: 'lifetime' | 'terminated' }
  | { readonly kind: 'silent'; readonly silentMs: number }
  | { readonly kind: 'channel-ended'; readonly cause: unknown }
  | { readonly kind: 'violation'; readonly error: NanoclawError };

type Phase = 'new' | 'hello' | 'open' | 'over';

/**
 * The host's side of the protocol on one channel: handshake, lease, and streams. Knows nothing of what the
 * streams are for. Everything read is hostile; a violation ends the connection and frees what it held.
 */
export class Connection implements StreamTransport {
  readonly #channel: Duplex;
  readonly #reader = new FrameReader();
  readonly #budget = new WindowBudget();
  readonly #streams = new Map<number, MuxStream>();
  readonly #ready = new Set<MuxStream>();
  readonly #times: HeartbeatTimes;
  readonly #ended = Promise.withResolvers<ConnectionEnd>();
  #phase: Phase = 'new';
  #heartbeat: Heartbeat | undefined;
  #welcome: PromiseWithResolvers<Welcome> | undefined;
  #nonce = '';
  #firstBytes = Buffer.alloc(0);
  #pings: Buffer[] = [];
  #nextId = 1;
  #hostStreams = 0;
  #lastPeerId = 0;
  #congested = false;
  #goodbye: 'lifetime' | 'terminated' | undefined;

  constructor(channel: Duplex, times: HeartbeatTimes = defaultHeartbeat) {
    this.#channel = channel;
    this.#times = times;
    channel.on('data', (chunk: Buffer) => this.#read(chunk));
    channel.on('drain', () => {
      this.#congested = false;
      this.#pump();
    });
    channel.on('end', () => this.#finish({ kind: 'channel-ended', cause: undefined }));
    channel.on('close', () => this.#finish({ kind: 'channel-ended', cause: undefined }));
    channel.on('error', (cause) => this.#finish({ kind: 'channel-ended', cause }));
    if (channel.destroyed) this.#finish({ kind: 'channel-ended', cause: channel.errored });
  }

  /** Resolves, never rejects, when the connection is over. */
  get ended(): Promise<ConnectionEnd> {
    return this.#ended.promise;
  }

  /** What the other side wrote in place of a WELCOME, made printable; for error messages. */
  get firstOutput(): string {
    return printable(this.#firstBytes.toString('latin1'));
  }

  /**
   * Greets the runner and resolves with its answer; nothing untrusted runs before. Rejects when the connection ends first;
   * the caller sets the deadline.
   */
  hello(request: HelloRequest): Promise<Welcome> {
    if (this.#phase === 'over')
      return Promise.reject(createError('SANDBOX_GONE', 'The connection to the sandbox is over.'));
    this.#nonce = randomBytes(16).toString('hex');
    this.#welcome = Promise.withResolvers<Welcome>();
    this.#phase = 'hello';
    this.#heartbeat = new Heartbeat(
      this.#times,
      () => this.#ping(),
      (silentMs) => this.#finish({ kind: 'silent', silentMs }),
    );
    this.send(
      encodeJson(frameTypes.hello, 0, {
        protocol: protocolVersion,
        nonce: this.#nonce,
        leaseMs: this.#times.leaseMs,
        ...request,
      }),
    );
    return this.#welcome.promise;
  }

  /** Opens a stream. Throws `LIMIT_EXCEEDED` where the request is too large or too many streams are open. */
  open(request: { readonly kind: string }, listener: StreamListener): MuxStream {
    if (this.#phase !== 'open') throw createError('SANDBOX_GONE', 'The connection to the sandbox is over.');
    if (this.#hostStreams >= maxHostStreams) {
      throw createError(
        'LIMIT_EXCEEDED',
        `At most ${maxHostStreams} commands, transfers and forwarded connections can be under way in one sandbox; wait for one to end.`,
      );
    }
    const payload = Buffer.from(JSON.stringify(request));
    if (payload.length > maxOpenBytes) {
      throw createError(
        'LIMIT_EXCEEDED',
        `Arguments and environment take ${payload.length} bytes, at most ${maxOpenBytes} fit; pass large data through input or a file.`,
      );
    }
    const stream = new MuxStream(this.#nextId, this, this.#budget, listener);
    this.#nextId += 2;
    this.#hostStreams += 1;
    this.#streams.set(stream.id, stream);
    this.send(encodeFrame(frameTypes.open, stream.id, 0, payload));
    return stream;
  }

  /** Sets when the runner ends the sandbox by itself, counted from now. */
  setLifetime(remainingMs: number): void {
    if (this.#phase === 'open') this.send(encodeJson(frameTypes.control, 0, { op: 'lifetime', remainingMs }));
  }

  /** Ends the connection: end of input for the runner, which then exits. */
  close(): void {
    this.#finish({ kind: 'closed' });
  }

  /** Ends the connection because what came over one of its streams broke the protocol. */
  fail(error: NanoclawError): void {
    this.#finish({ kind: 'violation', error });
  }

  send(frame: Buffer): void {
    if (this.#phase === 'over') return;
    if (!this.#channel.write(frame)) this.#congested = true;
    this.#heartbeat?.sent();
  }

  reply(frame: Buffer): void {
    this.send(frame);
    if (this.#channel.writableLength > maxUnreadReplyBytes) this.fail(violation('it stopped reading our answers'));
  }

  schedule(stream: MuxStream): void {
    this.#ready.add(stream);
    this.#pump();
  }

  finished(stream: MuxStream): void {
    this.#ready.delete(stream);
    if (this.#streams.delete(stream.id) && stream.id % 2 === 1) this.#hostStreams -= 1;
  }

  /** Sends one piece of each stream in turn, so that a long transfer doesn't hold up a short one. */
  #pump(): void {
    while (this.#ready.size > 0) {
      for (const stream of [...this.#ready]) {
        if (this.#congested || this.#phase === 'over') return;
        const piece = stream.output.next();
        if (piece === undefined) this.#ready.delete(stream);
        else if (piece === 'end') this.send(encodeFrame(frameTypes.end, stream.id, 0, new Uint8Array(0)));
        else this.send(encodeFrame(frameTypes.data, stream.id, 0, piece));
      }
    }
  }

  #ping(): void {
    const payload = randomBytes(8);
    this.#pings.push(payload);
    this.send(encodeFrame(frameTypes.ping, 0, 0, payload));
  }

  #read(chunk: Buffer): void {
    if (this.#phase === 'over') return;
    this.#heartbeat?.heard();
    if (this.#phase !== 'open' && this.#firstBytes.length < 2_048) {
      this.#firstBytes = Buffer.concat([this.#firstBytes, chunk.subarray(0, 2_048 - this.#firstBytes.length)]);
    }
    try {
      this.#reader.push(chunk, (frame) => {
        this.#dispatch(frame);
        return (this.#phase as Phase) !== 'over';
      });
    } catch (error) {
      this.fail(isNanoclawError(error) ? error : violation('it made the reader fail'));
    }
  }

  #dispatch(frame: Frame): void {
    if (this.#phase === 'hello') {
      this.#receiveWelcome(frame);
      return;
    }
    if (this.#phase !== 'open') throw violation('it spoke before it was greeted');
    if (this.#goodbye !== undefined) throw violation('a frame after GOODBYE');
    if (frame.type === frameTypes.pong) this.#receivePong(frame.payload);
    else if (frame.type === frameTypes.goodbye) {
      this.#goodbye = parseMessage(goodbyeSchema, parseStrictJson(frame.payload)).reason;
    } else if (frame.type === frameTypes.open) this.#receiveOpen(frame);
    else if (frame.type < frameTypes.open) {
      throw violation(`a frame of type 0x${frame.type.toString(16)}, which only the host sends`);
    } else {
      const stream = this.#streams.get(frame.stream);
      if (stream === undefined) throw violation('a frame on a stream that is not open');
      stream.receive(frame);
    }
  }

  #receiveWelcome(frame: Frame): void {
    if (frame.type !== frameTypes.welcome) throw violation('its first frame is no WELCOME');
    const welcome = parseMessage(welcomeSchema, parseStrictJson(frame.payload));
    if (welcome.nonce !== this.#nonce) throw violation('a WELCOME with another nonce');
    this.#phase = 'open';
    this.#firstBytes = Buffer.alloc(0);
    this.#welcome?.resolve(welcome);
  }

  #receivePong(payload: Buffer): void {
    const expected = this.#pings.shift();
    if (expected === undefined || !expected.equals(payload) || !this.#heartbeat?.pong()) {
      throw violation('a PONG that answers no PING');
    }
  }

  /** Nothing that the runner may open is offered yet: refused politely, counted strictly. */
  #receiveOpen(frame: Frame): void {
    if (frame.stream % 2 !== 0 || frame.stream <= this.#lastPeerId)
      throw violation('a stream id of ours, or one used before');
    this.#lastPeerId = frame.stream;
    if (this.#streams.size - this.#hostStreams >= maxRunnerStreams) throw violation('too many streams');
    parseStrictJson(frame.payload);
    const stream = new MuxStream(frame.stream, this, this.#budget, { message() {}, closed() {} });
    this.#streams.set(stream.id, stream);
    stream.refuse('unknown-kind', 'the host offers nothing of this kind');
  }

  #finish(end: ConnectionEnd): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#heartbeat?.stop();
    const reason: ConnectionEnd =
      end.kind === 'channel-ended' && this.#goodbye ? { kind: 'goodbye', reason: this.#goodbye } : end;
    const error =
      end.kind === 'violation' ? end.error : createError('SANDBOX_GONE', 'The connection to the sandbox is over.');
    this.#ready.clear();
    this.#welcome?.promise.catch(() => undefined);
    this.#welcome?.reject(error);
    this.#ended.resolve(reason);
    // Streams are told by whoever owns the connection's end (it knows the reason); see `abandon`.
    if (end.kind === 'closed') this.#channel.end();
    else this.#channel.destroy();
  }

  /** Ends what still waits on streams with the reason that the owner found. */
  abandon(error: NanoclawError): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.abandon(error);
  }
}
