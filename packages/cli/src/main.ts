import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { type Cli, createCli } from './cli.ts';
import { addBench } from './commands/bench.ts';
import { addDoctor } from './commands/doctor.ts';
import { addPolicy } from './commands/policy.ts';
import { addPs } from './commands/ps.ts';
import { addReap } from './commands/reap.ts';
import { addRun } from './commands/run.ts';
import { exitCodeOfError, exitCodes } from './exit-code.ts';
import { complain, describeError, sayJson, toErrorJson } from './output.ts';

const examples = `
Examples:
  nanoclaw doctor
  nanoclaw run --image python:3.13-slim -- python3 -c 'print(6 * 7)'
  nanoclaw run --image python:3.13-slim --copy-in data.csv:/workspace/ --copy-out /workspace/report.md:. -- python3 report.py
  nanoclaw policy show strict

Exit codes: 0 fine; 1 it failed, or the answer is no; 2 called wrongly. 'run' has its own: see 'nanoclaw run --help'.`;

/** Runs the command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const cli = createCli(process.env);
  try {
    await createProgram(cli).parseAsync([...args], { from: 'user' });
  } catch (error) {
    cli.exitCode = error instanceof CommanderError ? explainUsage(error, args) : explainFailure(error, cli);
  }
  // What was written goes out first; what else is open (a terminal on stdin) must not keep us.
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(cli.exitCode);
}

function createProgram(cli: Cli): Command {
  const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };
  const program = new Command('nanoclaw')
    .description('Runs untrusted code in hardened, verified containers.')
    .version(version, '-V, --version')
    .option('--verbose', 'write a log to stderr, and stacks of errors (as NANOCLAW_LOG=debug does)')
    .on('option:verbose', () => {
      cli.verbose = true;
    })
    .addHelpText('after', examples)
    .enablePositionalOptions()
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  for (const add of [addRun, addDoctor, addPolicy, addPs, addReap, addBench]) add(program, cli);
  inheritSettings(program);
  return program;
}

/** Commander hands its settings down only to commands made by `command()`; groups made elsewhere get them here. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inheritSettings(command);
  }
}

function explainUsage(error: CommanderError, args: readonly string[]): number {
  if (error.exitCode === 0) return 0;
  const command = args.find((argument) => !argument.startsWith('-'));
  // Help without a command was asked for in a way.
  if (error.code === 'commander.help') return exitCodes.usage;
  const known = command !== undefined && error.code !== 'commander.unknownCommand' ? `${command} ` : '';
  const message = `${error.message.replace(/^error: /, '')}. See 'nanoclaw ${known}--help'.`;
  const ours = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined);
  if (ours.includes('--json')) sayJson({ error: { code: 'INVALID_ARGUMENT', message, retryable: false } });
  else complain(message);
  return command === 'run' ? exitCodes.runFailure : exitCodes.usage;
}

function explainFailure(error: unknown, cli: Cli): number {
  if (cli.json) sayJson({ error: toErrorJson(error) });
  else complain(describeError(error, cli.verbose));
  return exitCodeOfError(error, cli.command);
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}
