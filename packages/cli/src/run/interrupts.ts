/** What a person or a supervisor wants when a signal comes. */
export interface Interrupts extends Disposable {
  /** Aborted once everything has to go. */
  readonly stop: AbortSignal;
  /** The signal that stopped us. */
  readonly signal: NodeJS.Signals | undefined;
  /** Where the first SIGINT goes while a command runs; `undefined` otherwise. */
  forward: (() => void) | undefined;
}

/** Terminals signal the whole process group and `npx` passes signals on as well: what comes this soon after is the same one. */
const echoMs = 150;
const stopping = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Ctrl-C goes to the command first, and ends everything the second time; SIGTERM, SIGHUP and SIGQUIT end everything at
 * once. One more while everything is ending doesn't wait for it: the sandbox ends by itself when we are gone.
 */
export function watchInterrupts(): Interrupts {
  const controller = new AbortController();
  let stoppedBy: NodeJS.Signals | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;
  const interrupts: Interrupts = {
    stop: controller.signal,
    get signal() {
      return stoppedBy;
    },
    forward: undefined,
    [Symbol.dispose]() {
      for (const signal of stopping) process.off(signal, onSignal);
    },
  };
  function onSignal(signal: NodeJS.Signals): void {
    const nowMs = performance.now();
    if (nowMs - lastMs < echoMs) return;
    lastMs = nowMs;
    if (stoppedBy !== undefined) dieBy(signal);
    if (signal === 'SIGINT' && interrupts.forward !== undefined) {
      const { forward } = interrupts;
      interrupts.forward = undefined;
      forward();
      return;
    }
    stoppedBy = signal;
    controller.abort();
  }
  for (const signal of stopping) process.on(signal, onSignal);
  return interrupts;
}

/** Ends this process at once by the signal's own default, which waits for nothing. */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
