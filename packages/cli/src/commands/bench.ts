import { writeFile } from 'node:fs/promises';
import { createError, parseImageReference } from '@nanoclaw/core';
import type { Command } from 'commander';
import { type ExecBench, runExecBench } from '../bench/exec-bench.ts';
import { formatReport } from '../bench/report.ts';
import { begin, type Cli, type CommonOptions } from '../cli.ts';
import { complain, say, sayJson } from '../output.ts';
import { runtimeOption, withRuntime } from '../runtimes.ts';

interface BenchFlags extends CommonOptions {
  readonly runtime: string;
  readonly image?: string;
  readonly iterations: string;
  readonly out?: string;
}

const more = `
The image needs the programs true, cat and dd (any Debian, Alpine or busybox). Rounds of all subjects are interleaved, so
that only their ratios count: absolute times are this machine's, with whatever else it does. 50 iterations take about three
minutes; fewer make smaller figures too, and are for trying out.`;

export function addBench(program: Command, cli: Cli): void {
  const bench = program.command('bench').description('measure NanoClaw against the engine that it runs on');
  bench
    .command('exec')
    .description('commands in a live sandbox, cold starts, memory, throughput')
    .option(...runtimeOption, 'auto')
    .option('--image <reference>', 'image to run in (or NANOCLAW_IMAGE)')
    .option('--iterations <number>', 'interleaved rounds', '50')
    .option('--out <file>', 'also write the JSON to a file')
    .option('--json', 'print {machine, versions, results, figures, ratios, warnings, notRun}')
    .option('--verbose', 'write a log to stderr')
    .addHelpText('after', more)
    .action((flags: BenchFlags) => begin(cli, 'bench', flags, () => benchExec(flags, cli)));
}

async function benchExec(flags: BenchFlags, cli: Cli): Promise<number> {
  const image = flags.image ?? cli.env.NANOCLAW_IMAGE;
  if (!image)
    throw createError('INVALID_ARGUMENT', '--image: no image was given: pass --image REF, or set NANOCLAW_IMAGE.', {
      path: '--image',
    });
  const iterations = Number(flags.iterations);
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > 10_000) {
    throw createError(
      'INVALID_ARGUMENT',
      `--iterations: expected a whole number from 1 to 10000, found '${flags.iterations}'.`,
      { path: '--iterations' },
    );
  }
  const measured = await withRuntime(flags.runtime, cli, (runtime) =>
    runExecBench({
      runtime,
      image: parseImageReference(image),
      iterations,
      logger: cli.logger,
      onProgress: showProgress(),
    }),
  );
  const json = toJson(measured);
  if (flags.out !== undefined) await writeFile(flags.out, `${JSON.stringify(json, null, 2)}\n`);
  if (flags.json) sayJson(json);
  else say(formatReport(measured));
  return 0;
}

function toJson({ machine, versions, results, figures, ratios, warnings, notRun }: ExecBench): object {
  return { machine, versions, measuredAt: new Date().toISOString(), results, figures, ratios, warnings, notRun };
}

/** A line on stderr that changes on a terminal, one every ten seconds elsewhere. */
function showProgress(): (text: string) => void {
  let shownMs = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${text}`);
    } else if (performance.now() - shownMs > 10_000) {
      shownMs = performance.now();
      complain(text);
    }
  };
}
