import { isNanoclawError } from '@nanoclaw/core';
import type { Command } from 'commander';
import { begin, type Cli } from '../cli.ts';
import { exitCodeOfError, exitCodeOfSignal, exitCodes } from '../exit-code.ts';
import { complain, sayJson } from '../output.ts';
import { Collector } from '../run/collector.ts';
import { DescriptorWriter } from '../run/descriptor-writer.ts';
import { OutputError, type Sinks } from '../run/execute.ts';
import { dieBy, type Interrupts, watchInterrupts } from '../run/interrupts.ts';
import { type RunFlags, type RunRequest, readRunRequest } from '../run/request.ts';
import { toResultJson } from '../run/result-json.ts';
import { type RunOutcome, runInSandbox } from '../run/session.ts';
import { resetTerminal } from '../run/terminal.ts';
import { TerminalFilter } from '../run/terminal-filter.ts';
import { TextFilter } from '../run/text-filter.ts';
import { runtimeOption, withRuntime } from '../runtimes.ts';

const more = `
Examples:
  nanoclaw run --image python:3.13-slim -- python3 -c 'print(6 * 7)'
  echo hello | nanoclaw run --image busybox:1 -i -- tr a-z A-Z
  nanoclaw run --image python:3.13-slim --policy strict --copy-in ./data:data --copy-out out:./out -- python3 data/job.py
  nanoclaw run --image python:3.13-slim -it -- bash

Flags win over the policy's fields. Paths inside are relative to /workspace. Where our output is a terminal, control
characters of the command are shown, not obeyed; with -t it may draw on the terminal, and nothing else.

Ctrl-C is sent to the command; a second one destroys the sandbox at once, as SIGTERM and SIGHUP do.

Exit code: the command's own; 128+n where signal n ended it; 124 it took too long; 137 out of memory; 127 no such command;
126 it can't be executed; 125 NanoClaw failed or was called wrongly; 130, 143, 129 ended by SIGINT, SIGTERM, SIGHUP.`;

/** Bytes kept of each stream for `--json`. */
const maxJsonOutputBytes = 4 * 1_048_576;

export function addRun(program: Command, cli: Cli): void {
  const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];
  program
    .command('run')
    .description('run a command in a new sandbox, which is destroyed afterwards')
    .argument('<command...>', 'the program and its arguments; put -- before it')
    .option(...runtimeOption, 'auto')
    .option('--image <reference>', 'image to run in; pulled where it is missing (or NANOCLAW_IMAGE)')
    .option('--policy <file|preset>', "YAML or JSON file, or 'default', 'strict', 'openclaw'", 'default')
    .option('--memory <size>', 'memory, scratch included, for example 512m')
    .option('--cpus <number>', 'hard limit in CPUs, for example 1.5')
    .option('--cpu-shares <number>', 'weight against other containers')
    .option('--pids <number>', 'processes and threads')
    .option('--timeout <duration>', 'after which the command is killed, for example 90s')
    .option('-e, --env <K=V|K>', 'environment; K alone takes the value that it has here (repeatable)', collect)
    .option('-w, --workdir <path>', 'where the command starts')
    .option('-u, --user <uid:gid>', 'who it runs as; by default a user of its own')
    .option(
      '--mount <SRC:DST[:ro|rw]>',
      "a file or directory of the engine's host, read-only by default (repeatable)",
      collect,
    )
    .option('-i, --interactive', 'connect standard input')
    .option('-t, --tty', 'run in a terminal')
    .option(
      '--copy-in <SRC:DST>',
      'copy a file, or what is in a directory, into the sandbox first (repeatable)',
      collect,
    )
    .option(
      '--copy-out <SRC:DST>',
      'copy a file or directory out at the end, also when the command failed (repeatable)',
      collect,
    )
    .option('--json', 'print one JSON object instead of the output')
    .option('--verbose', 'write a log to stderr')
    .passThroughOptions()
    .addHelpText('after', more)
    .action((argv: string[], flags: RunFlags) => begin(cli, 'run', flags, () => run(argv, flags, cli)));
}

async function run(argv: readonly string[], flags: RunFlags, cli: Cli): Promise<number> {
  const request = await readRunRequest(argv, flags, cli.env);
  using interrupts = watchInterrupts();
  const output = createOutput(request, cli);
  try {
    const outcome = await withRuntime(flags.runtime, cli, (runtime) =>
      runInSandbox(request, { cli, runtime, interrupts, sinks: output.sinks }),
    );
    output.finish();
    if (cli.json) sayJson(toResultJson(outcome, output.collected));
    else explainEnd(outcome, request);
    return outcome.exitCode;
  } catch (error) {
    output.finish();
    return explainError(error, interrupts, output, cli);
  }
}

interface Output {
  readonly sinks: Sinks;
  readonly collected: { readonly stdout: Collector; readonly stderr: Collector };
  /** Whether somebody who reads our output doesn't take it. */
  stuck(): boolean;
  finish(): void;
}

function createOutput(request: RunRequest, cli: Cli): Output {
  const collected = { stdout: new Collector(maxJsonOutputBytes), stderr: new Collector(maxJsonOutputBytes) };
  if (cli.json) {
    return {
      collected,
      sinks: { stdout: [collected.stdout], stderr: [collected.stderr] },
      stuck: () => false,
      finish() {},
    };
  }
  const stdout = new DescriptorWriter(1);
  const stderr = new DescriptorWriter(2);
  const stuck = (): boolean => stdout.writing || stderr.writing;
  if (request.terminal) {
    const filter = new TerminalFilter();
    const finish = (): void => resetTerminal(filter);
    return {
      collected,
      sinks: { stdout: process.stdout.isTTY ? [filter, stdout] : [stdout], stderr: [stderr] },
      stuck,
      finish,
    };
  }
  return {
    collected,
    sinks: {
      stdout: process.stdout.isTTY ? [new TextFilter(), stdout] : [stdout],
      stderr: process.stderr.isTTY ? [new TextFilter(), stderr] : [stderr],
    },
    stuck,
    finish() {},
  };
}

/** What the exit code alone doesn't say. */
function explainEnd({ end, copiedOut }: RunOutcome, { policy }: RunRequest): void {
  if (end.timedOut)
    complain(`the command was killed after ${policy.execTimeoutMs / 1_000} s; --timeout sets another limit`);
  else if (end.oomKilled) complain('the kernel killed a process for lack of memory; --memory sets another limit');
  for (const { source, error } of copiedOut)
    if (error !== undefined) complain(`--copy-out: ${source} was not copied: ${error.message}`);
}

function explainError(error: unknown, interrupts: Interrupts, output: Output, cli: Cli): number {
  const { signal } = interrupts;
  if (signal !== undefined) {
    // Exiting would wait for the reader of what was written last.
    if (output.stuck()) dieBy(signal);
    const exitCode = exitCodeOfSignal(signal);
    if (cli.json)
      sayJson({
        error: { code: 'ABORTED', message: `Ended by ${signal}; the sandbox was destroyed.`, retryable: false },
      });
    else if (!isNanoclawError(error) || (error.code !== 'ABORTED' && error.code !== 'SANDBOX_GONE')) throw error;
    return exitCode;
  }
  if (error instanceof OutputError) {
    if (error.code === 'EPIPE') return exitCodes.brokenPipe;
    complain(error.message);
    return exitCodeOfError(error, 'run');
  }
  throw error;
}
