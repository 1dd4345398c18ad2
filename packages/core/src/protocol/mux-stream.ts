import { createError, type NanoclawError } from '../errors/nanoclaw-error.ts';
import { encodeFrame, encodeJson, type Frame, frameTypes } from './frame.ts';
import { IncomingLane, OutgoingLane, type WindowBudget } from './lanes.ts';
import { parseStrictJson } from './strict-json.ts';
import { violation } from './violation.ts';

const noBytes = new Uint8Array(0);

/** What a stream needs of its connection. */
export interface StreamTransport {
  /** Writes a frame that the user's side asked for. */
  send(frame: Buffer): void;
  /** Writes a frame that answers the peer; a peer that doesn't read its answers is a violation. */
  reply(frame: Buffer): void;
  /** Has data to send. */
  schedule(stream: MuxStream): void;
  /** Both sides have closed. */
  finished(stream: MuxStream): void;
}

/** What the peer says on a stream, beside data. */
export interface StreamListener {
  message(value: Record<string, unknown>): void;
  /** The peer is done: regularly, or with an error (RESET, or the connection's end). Called once. */
  closed(error: NanoclawError | StreamReset | undefined): void;
}

/** A RESET of the peer's: `code` is one of the protocol's, the text is hostile. */
export class StreamReset extends Error {
  override readonly name = 'StreamReset';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One stream of a connection: two incoming lanes, one outgoing, messages. */
export class MuxStream {
  readonly id: number;
  readonly input: readonly [IncomingLane, IncomingLane];
  readonly output: OutgoingLane;
  readonly #transport: StreamTransport;
  readonly #listener: StreamListener;
  #localClosed = false;
  #remoteClosed = false;
  #notified = false;

  constructor(id: number, transport: StreamTransport, budget: WindowBudget, listener: StreamListener) {
    this.id = id;
    this.#transport = transport;
    this.#listener = listener;
    const lane = (number: number) => new IncomingLane((bytes) => this.#grant(number, bytes), budget);
    this.input = [lane(0), lane(1)];
    this.output = new OutgoingLane(() => transport.schedule(this));
  }

  /** Sends a message; nothing happens on a stream that is closed. */
  message(value: object): void {
    if (!this.#localClosed) this.#transport.send(encodeJson(frameTypes.message, this.id, value));
  }

  /** We send nothing more. */
  close(): void {
    this.#closeLocal(() => this.#transport.send(encodeFrame(frameTypes.close, this.id, 0, noBytes)));
  }

  /** Gives up what is under way. */
  reset(code: string, message: string): void {
    this.#closeLocal(() => this.#transport.send(encodeJson(frameTypes.reset, this.id, { code, message })));
    for (const lane of this.input) lane.discard();
    this.#notify(createError('ABORTED', message));
  }

  /** Answers an OPEN that can't be served. */
  refuse(code: string, message: string): void {
    this.#closeLocal(() => this.#transport.reply(encodeJson(frameTypes.reset, this.id, { code, message })));
  }

  /** A frame of the peer's for this stream. Throws `PROTOCOL_VIOLATION`. */
  receive(frame: Frame): void {
    if (this.#remoteClosed) throw violation('a frame on a stream that its sender has closed');
    const lane = this.input[frame.lane === 1 ? 1 : 0];
    switch (frame.type) {
      case frameTypes.data:
        if (this.#localClosed) lane.ignore(frame.payload.length);
        else lane.receive(frame.payload);
        return;
      case frameTypes.end:
        if (!this.#localClosed) lane.receiveEnd();
        return;
      case frameTypes.credit:
        if (frame.lane !== 0) throw violation('credit on a lane that carries nothing');
        if (!this.#localClosed) this.output.receiveCredit(frame.payload.readUInt32BE(0));
        return;
      case frameTypes.message: {
        const value = parseStrictJson(frame.payload);
        if (!this.#localClosed) this.#listener.message(value);
        return;
      }
      case frameTypes.close:
        this.#closedByPeer(undefined);
        return;
      case frameTypes.reset: {
        const { code, message, ...rest } = parseStrictJson(frame.payload);
        if (typeof code !== 'string' || typeof message !== 'string' || Object.keys(rest).length > 0) {
          throw violation('a RESET without code and message');
        }
        this.#closedByPeer(new StreamReset(code, message));
        return;
      }
      default:
        throw violation(`a frame of type 0x${frame.type.toString(16)} on a stream`);
    }
  }

  /** The connection is over. */
  abandon(error: NanoclawError): void {
    this.#localClosed = true;
    this.#remoteClosed = true;
    this.output.discard();
    for (const lane of this.input) lane.discard();
    this.#notify(error);
  }

  #grant(lane: number, bytes: number): void {
    if (this.#localClosed || this.#remoteClosed) return;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    this.#transport.reply(encodeFrame(frameTypes.credit, this.id, lane, payload));
  }

  #closeLocal(send: () => void): void {
    if (this.#localClosed) return;
    this.#localClosed = true;
    this.output.discard();
    send();
    if (this.#remoteClosed) this.#transport.finished(this);
  }

  #closedByPeer(reset: StreamReset | undefined): void {
    this.#remoteClosed = true;
    this.output.discard();
    // What came before a regular end may not have been read yet.
    for (const lane of this.input) {
      if (reset === undefined) lane.close();
      else lane.discard();
    }
    this.#notify(reset);
    if (this.#localClosed) this.#transport.finished(this);
    else this.#closeLocal(() => this.#transport.reply(encodeFrame(frameTypes.close, this.id, 0, noBytes)));
  }

  #notify(error: NanoclawError | StreamReset | undefined): void {
    if (this.#notified) return;
    this.#notified = true;
    this.#listener.closed(error);
  }
}
