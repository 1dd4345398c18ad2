import type { Readable, Writable } from 'node:stream';
import type { z } from 'zod';
import type { NanoclawError } from '../errors/nanoclaw-error.ts';
import type { Connection } from '../protocol/connection.ts';
import type { IncomingLane } from '../protocol/lanes.ts';
import { execEventSchema, parseMessage } from '../protocol/messages.ts';
import type { MuxStream, StreamListener, StreamReset } from '../protocol/mux-stream.ts';
import { violation } from '../protocol/violation.ts';
import { toReadable, toWritable } from './lane-streams.ts';
import { type SignalName, signalName, signalNumber } from './signals.ts';
import { toStreamError } from './stream-error.ts';

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What the runner is asked to run: every field decided. */
export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** 0 is none. */
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  readonly stdin: boolean;
  readonly pty: TerminalSize | null;
}

/** How a command ended. */
export interface ProcessEnd {
  /** 0 to 255, or `null` when a signal ended it. */
  readonly exitCode: number | null;
  /** `SIGKILL` and so on, or `null`. */
  readonly signal: string | null;
  /** The time limit ended it, and everything that it had started. */
  readonly timedOut: boolean;
  /** The kernel killed it (or what it ran) for lack of memory. */
  readonly oomKilled: boolean;
  readonly durationMs: number;
}

/** How long after its deadline a command may be overdue before the runner counts as not to be trusted. */
const overdueMs = 30_000;

/** A command that runs in a sandbox. Ends with the sandbox at the latest. */
export class SandboxProcess implements AsyncDisposable {
  readonly #stream: MuxStream;
  readonly #end = Promise.withResolvers<ProcessEnd>();
  readonly #startedAtMs = performance.now();
  readonly #pid = Promise.withResolvers<number>();
  #started = false;
  #exit: Extract<z.infer<typeof execEventSchema>, { event: 'exited' }> | undefined;
  readonly #onOverdue: () => void;
  #overdue: NodeJS.Timeout | undefined;
  #ended = false;
  #stdin: Writable | undefined;
  #stdout: Readable | undefined;
  #stderr: Readable | undefined;

  /** Core's own: use `sandbox.spawn`. */
  constructor(connection: Connection, request: ExecRequest, onOverdue: () => void) {
    this.#end.promise.catch(() => undefined);
    this.#pid.promise.catch(() => undefined);
    const listener: StreamListener = {
      message: (value) => this.#receive(value),
      closed: (error) => this.#closed(error, request),
    };
    this.#stream = connection.open({ kind: 'exec', ...request }, listener);
    this.#onOverdue = onOverdue;
    if (request.timeoutMs > 0) this.#watchOverdue(request.timeoutMs + request.killGraceMs + overdueMs);
  }

  /** The lanes, for core. */
  get stream(): MuxStream {
    return this.#stream;
  }

  /** Resolves when the command runs, with its pid inside; rejects with `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE` and so on. */
  get started(): Promise<number> {
    return this.#pid.promise;
  }

  /** Standard input. */
  get stdin(): Writable {
    this.#stdin ??= toWritable(this.#stream.output);
    return this.#stdin;
  }

  /** Standard output (with a terminal: all output). Backpressure reaches the command. */
  get stdout(): Readable {
    this.#stdout ??= toReadable(this.#stream.input[0]);
    return this.#stdout;
  }

  get stderr(): Readable {
    this.#stderr ??= toReadable(this.#stream.input[1]);
    return this.#stderr;
  }

  /** Resolves with how the command ended, once all its output was sent; rejects when the sandbox is gone first. */
  wait(): Promise<ProcessEnd> {
    return this.#end.promise;
  }

  /** Sends a signal to the command's process group. Nothing happens once it has ended. */
  signal(signal: SignalName | number): void {
    this.#stream.message({ op: 'signal', signal: signalNumber(signal) });
  }

  /** Kills the command and everything that it started. */
  kill(): void {
    this.#stream.message({ op: 'kill' });
    if (!this.#ended) this.#watchOverdue(overdueMs);
  }

  /** Whether the command has ended, or its sandbox is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Tells a terminal's new size. */
  resize(size: TerminalSize): void {
    this.#stream.message({ op: 'resize', columns: size.columns, rows: size.rows });
  }

  /** Kills what still runs and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    this.discardOutput();
    await this.#end.promise.catch(() => undefined);
  }

  /** Stops waiting for whoever takes the output; what still comes is thrown away. */
  discardOutput(): void {
    this.#discard(this.#stdout, this.#stream.input[0]);
    this.#discard(this.#stderr, this.#stream.input[1]);
  }

  #discard(readable: Readable | undefined, lane: IncomingLane): void {
    if (readable === undefined) lane.discardAll();
    else readable.destroy();
  }

  #receive(value: Record<string, unknown>): void {
    const event = parseMessage(execEventSchema, value);
    if (this.#exit !== undefined || (event.event === 'started') === this.#started) {
      throw violation('a command that starts or ends out of order');
    }
    if (event.event === 'started') {
      this.#started = true;
      this.#pid.resolve(event.pid);
    } else {
      if ((event.exitCode === null) === (event.signal === null))
        throw violation('an end with both or neither of exit code and signal');
      this.#exit = event;
    }
  }

  #closed(error: NanoclawError | StreamReset | undefined, request: ExecRequest): void {
    clearTimeout(this.#overdue);
    this.#ended = true;
    this.#stdin?.destroy();
    const exit = this.#exit;
    if (error === undefined && exit !== undefined) {
      this.#end.resolve({
        exitCode: exit.exitCode,
        signal: exit.signal === null ? null : signalName(exit.signal),
        timedOut: exit.timedOut,
        oomKilled: exit.oomKilled,
        durationMs: Math.round((performance.now() - this.#startedAtMs) * 1_000) / 1_000,
      });
      return;
    }
    const typed = toStreamError(error, `Cannot run "${request.argv[0]}" in the sandbox`, 'command');
    this.#pid.reject(typed);
    this.#end.reject(typed);
    for (const stream of [this.#stdout, this.#stderr]) stream?.destroy(typed);
  }

  #watchOverdue(delayMs: number): void {
    clearTimeout(this.#overdue);
    this.#overdue = setTimeout(() => this.#judgeOverdue(), delayMs);
    this.#overdue.unref();
  }

  /** A command whose output nobody takes can't end; anything else that is overdue means that the runner doesn't do its duty. */
  #judgeOverdue(): void {
    if (this.#stream.input.some((lane) => lane.blocked)) this.#watchOverdue(1_000);
    else this.#onOverdue();
  }
}
