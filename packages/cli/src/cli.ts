import { type Logger, silentLogger } from '@nanoclaw/core';

/** What the options of every command have in common. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** One run of the program: what was asked for, and what it will exit with. */
export interface Cli {
  readonly env: NodeJS.ProcessEnv;
  /** Name of the command that was called, once it is known. */
  command: string;
  json: boolean;
  verbose: boolean;
  exitCode: number;
  logger: Logger;
}

export function createCli(env: NodeJS.ProcessEnv): Cli {
  return { env, command: '', json: false, verbose: false, exitCode: 0, logger: silentLogger };
}

/** Runs a command's work with its common options in force, and keeps the exit code that it answers. */
export async function begin(
  cli: Cli,
  command: string,
  options: CommonOptions,
  work: () => Promise<number>,
): Promise<void> {
  cli.command = command;
  cli.json = options.json ?? false;
  cli.verbose ||= options.verbose ?? false;
  cli.logger = await createLogger(cli);
  cli.exitCode = await work();
}

const levels = ['trace', 'debug', 'info', 'warn', 'error'];

/** JSON lines on stderr, where `--verbose` or `NANOCLAW_LOG=debug|info|warn|error` ask for them. */
async function createLogger(cli: Cli): Promise<Logger> {
  const asked = cli.env.NANOCLAW_LOG ?? '';
  const level = levels.includes(asked) ? asked : cli.verbose ? 'debug' : undefined;
  if (level === undefined) return silentLogger;
  // Loaded here only: most runs write no log.
  const { pino } = await import('pino');
  const logger: Logger = pino({ name: 'nanoclaw', level }, pino.destination({ fd: 2, sync: true }));
  return logger;
}
