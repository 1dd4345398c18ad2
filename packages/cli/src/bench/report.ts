import { formatTable } from '../output.ts';
import type { ExecBench } from './exec-bench.ts';
import { type Figure, holds } from './figures.ts';
import type { Samples } from './samples.ts';
import { percentile } from './samples.ts';

const plotWidth = 60;

/** The whole report for people. */
export function formatReport({
  machine,
  versions,
  results,
  figures,
  ratios,
  warnings,
  notRun,
  samples,
  notes,
}: ExecBench): string {
  const rows = results.map(({ scenario, subject, n, p50Ms, p95Ms, p99Ms, maxMs, errors }) => [
    scenario,
    subject,
    String(n),
    ...[p50Ms, p95Ms, p99Ms, maxMs].map((value) => value.toFixed(2)),
    String(errors),
    notes.get(subject) ?? '',
  ]);
  const facts = Object.entries({ ...machine, ...versions }).map(([name, value]) => `${name} ${String(value)}`);
  return [
    facts.join(' · '),
    '',
    formatTable([['SCENARIO', 'SUBJECT', 'N', 'P50 ms', 'P95 ms', 'P99 ms', 'MAX ms', 'ERRORS', 'WHAT'], ...rows]),
    '',
    'Distributions: | 5 % to 95 % |, box 25 % to 75 %, # median, logarithmic',
    ...formatPlots(samples),
    '',
    'Promises, from the medians of these rounds:',
    formatTable(
      [
        ...ratios.map(({ name, value, unit, bound, holds: kept }) => [name, `${value} ${unit}`, bound, verdict(kept)]),
        ...figures.map((figure) => [
          figure.name,
          `${figure.value} ${figure.unit}`,
          boundText(figure),
          verdict(holds(figure)),
        ]),
      ],
      '  ',
    ),
    ...warnings,
    ...notRun.map(({ subject, reason }) => `not run: ${subject}: ${reason}`),
  ].join('\n');
}

function verdict(kept: boolean | undefined): string {
  return kept === undefined ? '' : kept ? 'holds' : 'DOES NOT HOLD';
}

function boundText({ bound }: Figure): string {
  if (bound === undefined) return 'no bound';
  return 'atMost' in bound ? `<= ${bound.atMost}` : `>= ${bound.atLeast}`;
}

/** One box plot a subject, all on one logarithmic axis. */
function formatPlots(samples: ReadonlyMap<string, Samples>): string[] {
  const filled = [...samples].filter(([, { values }]) => values.length > 0);
  const all = filled.flatMap(([, { values }]) => values);
  if (all.length === 0) return [];
  const low = Math.log(Math.max(Math.min(...all), 0.01));
  const high = Math.log(Math.max(...all));
  const column = (value: number): number =>
    Math.round(((Math.log(Math.max(value, 0.01)) - low) / Math.max(high - low, 1e-9)) * (plotWidth - 1));
  const rows = filled.map(([name, { values }]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number): number => column(percentile(sorted, share));
    const cells = Array.from({ length: plotWidth }, () => ' ');
    cells.fill('-', at(0.05), at(0.95) + 1);
    cells.fill('=', at(0.25), at(0.75) + 1);
    cells[at(0.05)] = '|';
    cells[at(0.95)] = '|';
    cells[at(0.5)] = '#';
    return [name, cells.join('')];
  });
  const scale = [
    'ms',
    `${Math.exp(low)
      .toFixed(2)
      .padEnd(plotWidth - 10)}${Math.exp(high).toFixed(1).padStart(10)}`,
  ];
  return formatTable([...rows, scale], '  ').split('\n');
}
