import { maxDataBytes } from './frame.ts';
import { appendPiece } from './pieces.ts';
import { violation } from './violation.ts';

/** Bytes that each direction of a lane may carry before the first CREDIT. */
export const initialWindowBytes = 32_768;
export const maxWindowBytes = 1_048_576;
/** How far a lane of ours is widened while its consumer keeps up. */
const widestWindowBytes = 524_288;

/** What all lanes of one connection may widen their windows by. */
export class WindowBudget {
  #leftBytes = 8 * 1_048_576;

  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

export interface LaneConsumer {
  /** Takes bytes; call `consumed` on the lane when they are out of memory. */
  data(bytes: Buffer): void;
  end(): void;
}

/** One direction of one lane, towards us. Keeps what nobody has taken yet, never more than its window. */
export class IncomingLane {
  readonly #grant: (bytes: number) => void;
  readonly #budget: WindowBudget;
  #windowBytes = initialWindowBytes;
  #widthBytes = initialWindowBytes;
  #owedBytes = 0;
  #sinceWidenedBytes = 0;
  #queue: Buffer[] = [];
  #ended = false;
  #consumer: LaneConsumer | undefined;

  constructor(grant: (bytes: number) => void, budget: WindowBudget) {
    this.#grant = grant;
    this.#budget = budget;
  }

  /** Frames of the peer. */
  receive(bytes: Buffer): void {
    if (this.#ended) throw violation('data after the end of its lane');
    if (bytes.length > this.#windowBytes) throw violation('data beyond the window');
    this.#windowBytes -= bytes.length;
    if (this.#consumer) this.#consumer.data(bytes);
    else appendPiece(this.#queue, bytes);
  }

  receiveEnd(): void {
    if (this.#ended) throw violation('a lane that ends twice');
    this.#ended = true;
    this.#release();
    this.#consumer?.end();
  }

  /** Hands over what has arrived and what will. One consumer a lane. */
  consume(consumer: LaneConsumer): void {
    this.#consumer = consumer;
    const queue = this.#queue;
    this.#queue = [];
    for (const bytes of queue) consumer.data(bytes);
    if (this.#ended) consumer.end();
  }

  /** Says that bytes handed over are out of memory, so that the peer may send as many again. */
  consumed(bytes: number): void {
    if (this.#ended) return;
    this.#owedBytes += bytes;
    if (this.#owedBytes < this.#widthBytes / 2) return;
    let credit = this.#owedBytes;
    this.#sinceWidenedBytes += this.#owedBytes;
    // A lane that carries much is worth a wider window: it is not the peer's speed that tells (we answer at once), but how much came.
    if (
      this.#sinceWidenedBytes >= 2 * this.#widthBytes &&
      this.#widthBytes < widestWindowBytes &&
      this.#budget.take(this.#widthBytes)
    ) {
      credit += this.#widthBytes;
      this.#widthBytes *= 2;
      this.#sinceWidenedBytes = 0;
    }
    this.#owedBytes = 0;
    this.#windowBytes += credit;
    this.#grant(credit);
  }

  /** Whether the peer waits for us to take bytes. */
  get blocked(): boolean {
    return !this.#ended && this.#windowBytes === 0;
  }

  /** Takes and drops whatever comes, so that the peer can go on. */
  discardAll(): void {
    this.consume({ data: (bytes) => this.consumed(bytes.length), end() {} });
  }

  /** The peer sends nothing more; what has come stays until it is taken. */
  close(): void {
    if (!this.#ended) this.receiveEnd();
  }

  /** The stream is over: nothing more is kept or handed on. */
  discard(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#release();
    }
    this.#queue = [];
  }

  /** After our own CLOSE the peer's frames are ignored, but still counted. */
  ignore(bytes: number): void {
    if (bytes > this.#windowBytes) throw violation('data beyond the window');
    this.#windowBytes -= bytes;
  }

  #release(): void {
    this.#budget.give(this.#widthBytes - initialWindowBytes);
    this.#widthBytes = initialWindowBytes;
  }
}

interface PendingWrite {
  bytes: Uint8Array;
  readonly done: () => void;
}

/** One direction of one lane, towards the peer. Sends as far as credit and the channel allow. */
export class OutgoingLane {
  readonly #schedule: () => void;
  #creditBytes = initialWindowBytes;
  #queue: PendingWrite[] = [];
  #ending = false;
  #over = false;

  constructor(schedule: () => void) {
    this.#schedule = schedule;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Queues bytes; resolves when they were handed to the channel, or thrown away because the stream is over. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#over || this.#ending || bytes.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#queue.push({ bytes, done: resolve });
      this.#schedule();
    });
  }

  end(): void {
    if (this.#over || this.#ending) return;
    this.#ending = true;
    this.#schedule();
  }

  receiveCredit(bytes: number): void {
    if (bytes === 0) throw violation('a credit of 0');
    this.#creditBytes += bytes;
    if (this.#creditBytes > maxWindowBytes) throw violation('credit beyond the largest window');
    this.#schedule();
  }

  /** The next piece to send: bytes, `end`, or nothing yet. */
  next(): Uint8Array | 'end' | undefined {
    if (this.#over) return undefined;
    const head = this.#queue[0];
    if (head === undefined) {
      if (!this.#ending) return undefined;
      this.#over = true;
      return 'end';
    }
    if (this.#creditBytes === 0) return undefined;
    const size = Math.min(head.bytes.length, this.#creditBytes, maxDataBytes);
    this.#creditBytes -= size;
    if (size === head.bytes.length) {
      this.#queue.shift();
      head.done();
      return head.bytes;
    }
    const piece = head.bytes.subarray(0, size);
    head.bytes = head.bytes.subarray(size);
    return piece;
  }

  discard(): void {
    this.#over = true;
    const queue = this.#queue;
    this.#queue = [];
    for (const write of queue) write.done();
  }
}
