import { createSandbox, type Sandbox, type SandboxRuntime } from '@nanoclaw/core';
import { type Subject, timed } from './rounds.ts';

const execsPerRound = 20;

/** A command in a sandbox that lives. */
export function nanoclawExec(sandbox: Sandbox): Subject {
  return {
    scenario: 'exec',
    subject: 'nanoclaw-exec',
    runtime: sandbox.attestation.runtime,
    note: "sandbox.exec(['true'])",
    perRound: execsPerRound,
    measure: () =>
      timed(async () => {
        const { exitCode } = await sandbox.exec(['true']);
        if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
      }),
  };
}

/** From nothing to a sandbox that is verified and ready, in a process that has started one before. */
export function nanoclawCold(runtime: SandboxRuntime, image: string): Subject {
  return {
    scenario: 'cold-start',
    subject: 'nanoclaw-cold',
    runtime: runtime.name,
    note: 'createSandbox(): create, attach, compare, start, verify from inside',
    perRound: 1,
    measure: async () => {
      let sandbox: Sandbox | undefined;
      try {
        return await timed(async () => {
          sandbox = await createSandbox({ runtime, image });
        });
      } finally {
        await sandbox?.destroy();
      }
    },
  };
}

/** The whole way of one command, as the counterpart of `docker run --rm`. */
export function nanoclawRun(runtime: SandboxRuntime, image: string): Subject {
  return {
    scenario: 'run',
    subject: 'nanoclaw-run',
    runtime: runtime.name,
    note: 'createSandbox(), one command, destroyed and gone',
    perRound: 1,
    measure: () =>
      timed(async () => {
        await using sandbox = await createSandbox({ runtime, image });
        await sandbox.exec(['true']);
      }),
  };
}
