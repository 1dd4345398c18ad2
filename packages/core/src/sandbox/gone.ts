import { createError, type GoneReason, type NanoclawError } from '../errors/nanoclaw-error.ts';
import type { ConnectionEnd } from '../protocol/connection.ts';
import type { ExitCause } from '../runtime/sandbox-runtime.ts';

/** How long the engine gets to say why a container ended once its channel has. */
const causeWaitMs = 500;

/** The error that every call on a sandbox gets once it is gone: the connection's end and the engine's word, put together. */
export async function explainEnd(end: ConnectionEnd, exited: Promise<ExitCause>): Promise<NanoclawError> {
  switch (end.kind) {
    case 'violation':
      return end.error;
    case 'closed':
      return gone('destroyed', 'it was destroyed');
    case 'silent':
      return gone(
        'host',
        `it said nothing for ${Math.round(end.silentMs / 1_000)} s, so it was given up (a frozen container, a stuck engine, or a host that slept)`,
      );
    case 'goodbye':
      return end.reason === 'lifetime'
        ? gone('lifetime', 'its lifetime was over; set a longer `lifetime` in the policy, or extend it')
        : gone('engine', 'it was told to terminate (SIGTERM to its PID 1, as `docker stop` sends)');
    case 'channel-ended':
      return explainExit(await orUnknown(exited));
  }
}

function explainExit(cause: ExitCause): NanoclawError {
  switch (cause.kind) {
    case 'out-of-memory':
      return gone('out-of-memory', 'the kernel ended it for lack of memory; raise `memory` in the policy, or use less');
    case 'exit':
      // The runner's own codes: docs/protocol.md.
      if (cause.exitCode === 3)
        return gone('host', 'its runner heard nothing from this process for the whole lease and ended it');
      return gone('engine', `its runner ended with status ${cause.exitCode}`);
    case 'signal':
      return gone('engine', `its PID 1 was ended from outside with signal ${cause.signal}`);
    case 'evicted':
      return gone('engine', `it was evicted: ${cause.reason}`);
    case 'unknown':
      return gone('engine', `the connection to it broke (${cause.reason}); is the engine still running?`);
  }
}

export function gone(reason: GoneReason, why: string): NanoclawError {
  return createError('SANDBOX_GONE', `The sandbox is gone: ${why}. Create a new one.`, { reason });
}

function orUnknown(exited: Promise<ExitCause>): Promise<ExitCause> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ kind: 'unknown', reason: 'the engine did not say why' }), causeWaitMs);
    void exited.then((cause) => {
      clearTimeout(timer);
      resolve(cause);
    });
  });
}
