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

/**
 * From nothing to a sandbox that is verified and ready, in a process that has started one before. The whole way of a command
 * (start, command, destruction) is measured beside it, as the counterpart of `docker run --rm`.
 */
export function nanoclawCold(runtime: SandboxRuntime, image: string): readonly [Subject, Subject] {
  const wholeMs: number[] = [];
  const cold: Subject = {
    scenario: 'cold-start',
    subject: 'nanoclaw-cold',
    runtime: runtime.name,
    note: 'createSandbox(): create, attach, compare, start, verify from inside',
    perRound: 1,
    measure: async () => {
      const startedMs = performance.now();
      const sandbox = await createSandbox({ runtime, image });
      const readyMs = performance.now();
      try {
        await sandbox.exec(['true']);
      } finally {
        await sandbox.destroy();
        wholeMs.push(performance.now() - startedMs);
      }
      return readyMs - startedMs;
    },
  };
  const whole: Subject = {
    scenario: 'run',
    subject: 'nanoclaw-run',
    runtime: runtime.name,
    note: 'the same, with one command and until the container is gone',
    perRound: 1,
    // Measured by the subject before it (or after it, in rounds that go backwards).
    measure: () => {
      const ms = wholeMs.shift();
      return ms === undefined ? Promise.reject(new Error('nothing was measured')) : Promise.resolve(ms);
    },
  };
  return [cold, whole];
}
