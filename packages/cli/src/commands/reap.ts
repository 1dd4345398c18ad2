import { createError, defaultDeadlines, parseDuration, RuntimeGuard, sweep } from '@nanoclaw/core';
import type { Command } from 'commander';
import { begin, type Cli, type CommonOptions } from '../cli.ts';
import { messageOf, say, sayJson } from '../output.ts';
import { runtimeOption, withRuntime } from '../runtimes.ts';
import { formatContainers, toContainerJson } from './ps.ts';

interface ReapFlags extends CommonOptions {
  readonly runtime: string;
  readonly olderThan: string;
}

const more = `
What has exited or is dead is removed whatever its age. What was created and never started, or is paused, is removed when
it is older than --older-than: a younger one may be a start under way. What runs is left alone, since its owner is alive: its
runner ends it within 30 s of its owner's end.`;

export function addReap(program: Command, cli: Cli): void {
  program
    .command('reap')
    .description('remove what sandboxes left behind (every start of a sandbox does so too)')
    .option(...runtimeOption, 'auto')
    .option('--older-than <duration>', 'age from which on a container that never started counts as left behind', '60s')
    .option('--json', 'print a JSON list of what was removed')
    .option('--verbose', 'write a log to stderr')
    .addHelpText('after', more)
    .action((flags: ReapFlags) => begin(cli, 'reap', flags, () => reap(flags, cli)));
}

async function reap(flags: ReapFlags, cli: Cli): Promise<number> {
  const graceMs = readAge(flags.olderThan);
  const removed = await withRuntime(flags.runtime, cli, (runtime) =>
    sweep(new RuntimeGuard(runtime, { logger: cli.logger, deadlines: defaultDeadlines }), { graceMs }),
  );
  if (flags.json) sayJson(removed.map(toContainerJson));
  else if (removed.length === 0) say('Nothing was left behind.');
  else say(`Removed ${removed.length}:\n${formatContainers(removed)}`);
  return 0;
}

function readAge(written: string): number {
  if (/^0(?:ms|s|m|h)$/.test(written)) return 0;
  try {
    return parseDuration(written);
  } catch (error) {
    throw createError('INVALID_ARGUMENT', `--older-than: ${messageOf(error)}.`, { path: '--older-than' }, error);
  }
}
