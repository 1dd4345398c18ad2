import { type ContainerStatus, defaultDeadlines, labelNames, managedLabels, RuntimeGuard } from '@nanoclaw/core';
import type { Command } from 'commander';
import { begin, type Cli, type CommonOptions } from '../cli.ts';
import { formatTable, say, sayJson } from '../output.ts';
import { runtimeOption, withRuntime } from '../runtimes.ts';

interface PsFlags extends CommonOptions {
  readonly runtime: string;
}

export function addPs(program: Command, cli: Cli): void {
  program
    .command('ps')
    .description('list the sandboxes of an engine, whoever started them')
    .option(...runtimeOption, 'auto')
    .option('--json', 'print a JSON list')
    .option('--verbose', 'write a log to stderr')
    .action((flags: PsFlags) => begin(cli, 'ps', flags, () => ps(flags, cli)));
}

async function ps(flags: PsFlags, cli: Cli): Promise<number> {
  const containers = await withRuntime(flags.runtime, cli, (runtime) =>
    new RuntimeGuard(runtime, { logger: cli.logger, deadlines: defaultDeadlines }).list(managedLabels),
  );
  const sorted = containers.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  if (flags.json) sayJson(sorted.map(toContainerJson));
  else if (sorted.length === 0) say('No sandboxes.');
  else say(formatContainers(sorted));
  return 0;
}

/** What `ps --json` and `reap --json` say of a container. */
export function toContainerJson({ id, name, labels, state, createdAtMs, imageDigest }: ContainerStatus): object {
  const uid = labels[labelNames.uid];
  return {
    sandboxId: labels[labelNames.sandbox] ?? null,
    containerId: id,
    name,
    state,
    createdAt: new Date(createdAtMs).toISOString(),
    imageDigest,
    uid: uid === undefined ? null : Number(uid),
  };
}

export function formatContainers(containers: readonly ContainerStatus[]): string {
  const rows = containers.map(({ id, labels, state, createdAtMs, imageDigest }) => [
    labels[labelNames.sandbox] ?? '-',
    state,
    formatAge(Date.now() - createdAtMs),
    labels[labelNames.uid] ?? '-',
    imageDigest.replace('sha256:', '').slice(0, 12),
    id.slice(0, 12),
  ]);
  return formatTable([['SANDBOX', 'STATE', 'AGE', 'UID', 'IMAGE', 'CONTAINER'], ...rows]);
}

function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 120) return `${seconds}s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)}m` : `${Math.round(seconds / 3_600)}h`;
}
