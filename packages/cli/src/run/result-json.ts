import { isUtf8 } from 'node:buffer';
import { toErrorJson } from '../output.ts';
import type { Collector } from './collector.ts';
import type { RunOutcome } from './session.ts';

/** The one object that `run --json` prints. Output that is no UTF-8 comes a second time, in base64, as it was sent. */
export function toResultJson(
  outcome: RunOutcome,
  output: { readonly stdout: Collector; readonly stderr: Collector },
): object {
  const { sandbox, end, copiedOut } = outcome;
  const { exitCode, signal, timedOut, oomKilled, durationMs } = end;
  const stdout = output.stdout.bytes();
  const stderr = output.stderr.bytes();
  return {
    sandboxId: sandbox.id,
    runtime: sandbox.attestation.runtime,
    exitCode,
    signal,
    timedOut,
    oomKilled,
    stdout: stdout.toString('utf8'),
    stderr: stderr.toString('utf8'),
    ...(isUtf8(stdout) ? {} : { stdoutBase64: stdout.toString('base64') }),
    ...(isUtf8(stderr) ? {} : { stderrBase64: stderr.toString('base64') }),
    truncated: output.stdout.truncated || output.stderr.truncated,
    durationMs,
    timings: sandbox.timings,
    attestation: sandbox.attestation,
    ...(copiedOut.length === 0
      ? {}
      : {
          copiedOut: copiedOut.map(({ source, target, copied, error }) => ({
            source,
            target,
            ...copied,
            ...(error && { error: toErrorJson(error) }),
          })),
        }),
  };
}
