import type { Writable } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createError } from '../errors/nanoclaw-error.ts';
import { aborted } from '../runtime/guard.ts';
import { defaultMaxOutputBytes, type ExecOptions, wholeNumber } from './exec-options.ts';
import { LaneCollector } from './lane-streams.ts';
import type { ProcessEnd, SandboxProcess } from './sandbox-process.ts';

/** How a command ended, and what it wrote. A non-zero exit is a result, not an error. */
export interface ExecResult<Output = string> extends ProcessEnd {
  /** Empty where it went to a stream of the caller's. */
  readonly stdout: Output;
  readonly stderr: Output;
  /** More was written than `maxOutputBytes`; what came first was kept. */
  readonly truncated: boolean;
}

const nothing = Buffer.alloc(0);

/** Runs a spawned process to its end, feeding its input and taking its output. */
export async function runToEnd(
  spawn: () => SandboxProcess,
  options: ExecOptions,
): Promise<ExecResult<string> | ExecResult<Buffer>> {
  const limitBytes = wholeNumber('maxOutputBytes', options.maxOutputBytes ?? defaultMaxOutputBytes, 0, 2 ** 31);
  if (options.signal?.aborted) throw aborted('exec', options.signal);
  const process = spawn();
  // A caller's stream that takes nothing must not keep what was killed from ending.
  const giveUpOutput = (): void => {
    if (options.stdout || options.stderr) process.discardOutput();
  };
  const onAbort = (): void => {
    process.kill();
    giveUpOutput();
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const [stdoutLane, stderrLane] = process.stream.input;
    const stdout = options.stdout ? undefined : new LaneCollector(stdoutLane, limitBytes);
    const stderr = options.stderr ? undefined : new LaneCollector(stderrLane, limitBytes);
    const forwarded = Promise.all([
      options.stdout && forward(process.stdout, options.stdout),
      options.stderr && forward(process.stderr, options.stderr),
    ]);
    forwarded.catch(() => process.kill());
    const input = options.input === undefined ? undefined : feed(process, options.input);
    // The input's failure is the caller's own and must not stay unhandled while the command still runs.
    const fed = input?.then(
      () => undefined,
      (error: unknown) => {
        if (process.ended) return undefined;
        process.kill();
        return { error };
      },
    );
    const end = await process.wait();
    if (!options.signal?.aborted) await forwarded;
    // A command may end without reading its input: then nobody waits for the rest.
    const failed = await Promise.race([fed, Promise.resolve(undefined)]);
    if (options.signal?.aborted) throw aborted('exec', options.signal);
    if (failed)
      throw createError(
        'INVALID_ARGUMENT',
        'input: reading the stream that was given as input failed.',
        {},
        failed.error,
      );
    const take = (collector: LaneCollector | undefined): Buffer => collector?.bytes() ?? nothing;
    const truncated = Boolean(stdout?.truncated || stderr?.truncated);
    if (options.encoding === 'buffer') return { ...end, stdout: take(stdout), stderr: take(stderr), truncated };
    return { ...end, stdout: take(stdout).toString('utf8'), stderr: take(stderr).toString('utf8'), truncated };
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
  }
}

async function feed(process: SandboxProcess, input: NonNullable<ExecOptions['input']>): Promise<void> {
  if (typeof input === 'string' || input instanceof Uint8Array) {
    void process.stream.output.write(typeof input === 'string' ? Buffer.from(input) : input);
    process.stream.output.end();
    return;
  }
  await pipeline(input instanceof Readable ? input : Readable.from(input), process.stdin);
}

/** Copies without ending the target, which is the caller's; a target that breaks no longer takes anything, and the command goes on. */
async function forward(source: Readable, target: Writable): Promise<void> {
  try {
    for await (const chunk of source) {
      if (target.destroyed || target.writableEnded) continue;
      if (!target.write(chunk)) await drained(target);
    }
  } catch (error) {
    // The process's own end says what happened.
    if (!source.errored) throw error;
  }
}

function drained(target: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error']) target.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) target.once(event, done);
  });
}
