import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ProcessEnd, Sandbox, SandboxProcess } from '@nanoclaw/core';
import type { RunRequest } from './request.ts';

/** Where a command's output goes: through filters, where it is a terminal's, to what takes it. */
export interface Sinks {
  readonly stdout: readonly [NodeJS.ReadWriteStream, Writable] | readonly [Writable];
  readonly stderr: readonly [NodeJS.ReadWriteStream, Writable] | readonly [Writable];
}

/** Our own output could not be written: its reader went away (`EPIPE`), or a disk is full. */
export class OutputError extends Error {
  readonly code: string;

  constructor(cause: Error) {
    super(`The command's output can't be written: ${cause.message}. The command was killed.`, { cause });
    this.code = 'code' in cause ? String(cause.code) : '';
  }
}

/** Runs the command to its end, with all three streams connected. `onStart` gets the running process. */
export async function execute(
  sandbox: Sandbox,
  request: RunRequest,
  sinks: Sinks,
  onStart: (process: SandboxProcess) => Disposable,
): Promise<ProcessEnd> {
  const process = await sandbox.spawn(request.argv, {
    timeoutMs: request.policy.execTimeoutMs,
    stdin: request.interactive,
    pty: request.terminal && terminalSize(),
  });
  using _running = onStart(process);
  let failure: Error | undefined;
  const pump = (source: Readable, sink: Sinks['stdout']): Promise<void> =>
    pipeline([source, ...sink] as [Readable, ...Writable[]]).catch((error: Error) => {
      // The command's own end, and the sandbox's, are told by `wait`.
      if (source.errored && source.errored !== error) return;
      failure ??= error;
      process.kill();
    });
  const pumps = [pump(process.stdout, sinks.stdout), pump(process.stderr, sinks.stderr)];
  const input = request.interactive ? connectInput(process) : undefined;
  try {
    const end = await process.wait();
    await Promise.all(pumps);
    if (failure !== undefined) throw new OutputError(failure);
    return end;
  } finally {
    input?.[Symbol.dispose]();
  }
}

export function terminalSize(): { columns: number; rows: number } {
  const { columns = 80, rows = 24 } = process.stdout;
  return { columns: Math.max(columns, 1), rows: Math.max(rows, 1) };
}

function connectInput(command: SandboxProcess): Disposable {
  const { stdin } = process;
  // A command that ends without reading all of it is no failure of ours; one that can't be read ends its input.
  pipeline(stdin, command.stdin).catch(() => command.stdin.end());
  return {
    [Symbol.dispose]() {
      stdin.unpipe();
      stdin.destroy();
    },
  };
}
