import { formatPolicy, isNanoclawError, parsePolicy } from '@nanoclaw/core';
import type { Command } from 'commander';
import { begin, type Cli, type CommonOptions } from '../cli.ts';
import { exitCodes } from '../exit-code.ts';
import { say, sayJson } from '../output.ts';
import { loadPolicy, readPolicyFile } from '../policy-source.ts';

export function addPolicy(program: Command, cli: Cli): void {
  const policy = program.command('policy').description('show and check policies').enablePositionalOptions();
  policy
    .command('show')
    .description('print a policy with every field decided')
    .argument('[preset|file]', "a preset ('default', 'strict', 'openclaw') or a YAML or JSON file", 'default')
    .option('--json', 'print JSON instead of YAML')
    .option('--verbose', 'write a log to stderr')
    .action((source: string, flags: CommonOptions) => begin(cli, 'policy', flags, () => show(source, flags)));
  policy
    .command('check')
    .description('say every problem of a policy file, with its path; exit 0 where there is none, else 1')
    .argument('<file>', 'a YAML or JSON file')
    .option('--json', 'print {valid, problems}')
    .option('--verbose', 'write a log to stderr')
    .action((file: string, flags: CommonOptions) => begin(cli, 'policy', flags, () => check(file, flags)));
}

async function show(source: string, flags: CommonOptions): Promise<number> {
  const written = formatPolicy(await loadPolicy(source));
  if (flags.json) {
    sayJson(written);
    return 0;
  }
  const { stringify } = await import('yaml');
  say(stringify(written, { lineWidth: 0 }).trimEnd());
  return 0;
}

async function check(file: string, flags: CommonOptions): Promise<number> {
  const problems = await findProblems(file);
  const valid = problems.length === 0;
  if (flags.json) sayJson({ valid, problems });
  else if (valid) say(`${file}: valid`);
  else for (const { path, message } of problems) say(`${file}: ${path === '' ? '' : `${path}: `}${message}`);
  return valid ? 0 : exitCodes.failure;
}

async function findProblems(file: string): Promise<readonly { readonly path: string; readonly message: string }[]> {
  try {
    parsePolicy((await readPolicyFile(file)) ?? {});
    return [];
  } catch (error) {
    const problems = isNanoclawError(error) && error.code === 'INVALID_POLICY' ? error.details.problems : undefined;
    if (problems === undefined) throw error;
    return problems;
  }
}
