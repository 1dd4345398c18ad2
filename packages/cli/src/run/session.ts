import { createSandbox, type ProcessEnd, type Sandbox, type SandboxRuntime } from '@nanoclaw/core';
import type { Cli } from '../cli.ts';
import { exitCodeOfEnd, exitCodes } from '../exit-code.ts';
import { complain, messageOf } from '../output.ts';
import { toPolicyInput } from '../policy-source.ts';
import { type CopyOutcome, copyIn, copyOut } from './copies.ts';
import { execute, type Sinks } from './execute.ts';
import type { Interrupts } from './interrupts.ts';
import { showProgress } from './progress.ts';
import type { RunRequest } from './request.ts';
import { lendTerminal } from './terminal.ts';

/** What came of a run. */
export interface RunOutcome {
  readonly sandbox: Sandbox;
  readonly end: ProcessEnd;
  readonly copiedOut: readonly CopyOutcome[];
  readonly exitCode: number;
}

/** One sandbox, from its start to its end: files in, the command, files out. Nothing is left behind, whatever happens. */
export async function runInSandbox(
  request: RunRequest,
  parts: {
    readonly cli: Cli;
    readonly runtime: SandboxRuntime;
    readonly interrupts: Interrupts;
    readonly sinks: Sinks;
  },
): Promise<RunOutcome> {
  const { cli, runtime, interrupts, sinks } = parts;
  const progress = showProgress(request.image);
  const sandbox = await createSandbox({
    runtime,
    image: request.image,
    policy: toPolicyInput(request.policy),
    env: request.env,
    signal: interrupts.stop,
    onProgress: progress.update,
    logger: cli.logger,
  }).finally(progress.done);
  // Whatever waits on the sandbox rejects then.
  const onStop = (): void => void sandbox.destroy().catch(() => undefined);
  interrupts.stop.addEventListener('abort', onStop);
  if (interrupts.stop.aborted) onStop();
  try {
    for (const copy of request.copyIn) await copyIn(sandbox, copy, interrupts.stop);
    const end = await execute(sandbox, request, sinks, (command) => {
      interrupts.forward = () => {
        command.signal('SIGINT');
        if (!cli.json) complain('sent SIGINT to the command; once more destroys the sandbox');
      };
      const terminal = request.terminal ? lendTerminal(command, { input: request.interactive }) : undefined;
      return {
        [Symbol.dispose]() {
          interrupts.forward = undefined;
          terminal?.[Symbol.dispose]();
        },
      };
    });
    const copiedOut = await copyOut(sandbox, request.copyOut, interrupts.stop);
    const exitCode = exitCodeOfEnd(end);
    const failedCopy = copiedOut.some(({ error }) => error !== undefined);
    return { sandbox, end, copiedOut, exitCode: exitCode === 0 && failedCopy ? exitCodes.runFailure : exitCode };
  } catch (error) {
    if (!interrupts.stop.aborted) {
      for (const { source } of request.copyOut)
        complain(`--copy-out: ${source} was not copied, since the command did not run to its end`);
    }
    throw error;
  } finally {
    interrupts.stop.removeEventListener('abort', onStop);
    await sandbox.destroy().catch((error: unknown) => {
      complain(
        `the container ${sandbox.containerId.slice(0, 12)} is not removed: ${messageOf(error)} 'nanoclaw reap' removes it once the engine answers.`,
      );
    });
  }
}
