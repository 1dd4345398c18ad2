/** Times of the lease, in milliseconds. */
export interface HeartbeatTimes {
  /** Silence after which each side gives the other up. Default 30,000. */
  readonly leaseMs: number;
  /** Silence of ours after which we ping. Default 10,000. */
  readonly pingMs: number;
}

export const defaultHeartbeat: HeartbeatTimes = { leaseMs: 30_000, pingMs: 10_000 };

/** How long the event loop gets to read what has already arrived before a silent peer is given up. */
const secondChanceMs = 1_000;

/**
 * Pings a peer when nothing else was sent, and gives it up when it was silent for the whole lease. A stall of our own event
 * loop, or a host that slept, is no proof of the other side's death: before giving up, the loop gets time to read.
 */
export class Heartbeat {
  readonly #times: HeartbeatTimes;
  readonly #ping: () => void;
  readonly #giveUp: (silentMs: number) => void;
  readonly #timer: NodeJS.Timeout;
  #secondChance: NodeJS.Timeout | undefined;
  #lastHeardMs = performance.now();
  #lastSentMs = performance.now();
  #unanswered = 0;

  constructor(times: HeartbeatTimes, ping: () => void, giveUp: (silentMs: number) => void) {
    this.#times = times;
    this.#ping = ping;
    this.#giveUp = giveUp;
    this.#timer = setInterval(() => this.#beat(), times.pingMs / 2);
    this.#timer.unref();
  }

  sent(): void {
    this.#lastSentMs = performance.now();
  }

  heard(): void {
    this.#lastHeardMs = performance.now();
    if (this.#secondChance) {
      clearTimeout(this.#secondChance);
      this.#secondChance = undefined;
    }
  }

  /** Whether a PONG is owed; it pays one. */
  pong(): boolean {
    if (this.#unanswered === 0) return false;
    this.#unanswered -= 1;
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#secondChance);
  }

  #beat(): void {
    const now = performance.now();
    // Also while we keep sending: only an answer shows that somebody listens.
    const unheard = this.#unanswered === 0 && now - this.#lastHeardMs >= this.#times.pingMs;
    if (unheard || now - this.#lastSentMs >= this.#times.pingMs) {
      this.#unanswered += 1;
      this.#ping();
    }
    if (this.#unanswered > 0 && now - this.#lastHeardMs >= this.#times.leaseMs && this.#secondChance === undefined) {
      this.#secondChance = setTimeout(
        () => this.#giveUp(performance.now() - this.#lastHeardMs),
        Math.min(secondChanceMs, this.#times.leaseMs),
      );
      this.#secondChance.unref();
    }
  }
}
