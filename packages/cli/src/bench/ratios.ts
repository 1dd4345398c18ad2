import type { BenchResult } from './samples.ts';
import { round } from './samples.ts';

/** A promise about two subjects of one run, or about one. */
export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: string;
  readonly holds: boolean;
}

/** What the project promises, computed from medians of the same interleaved rounds. */
export function toRatios(results: readonly BenchResult[]): readonly Ratio[] {
  const p50 = (subject: string): number | undefined =>
    results.find((result) => result.subject === subject && result.n > 0)?.p50Ms;
  const exec = p50('nanoclaw-exec');
  const engineExec = p50('engine-exec');
  const cold = p50('nanoclaw-cold');
  const apiCold = p50('engine-api-cold');
  const ratios: Ratio[] = [];
  if (exec !== undefined)
    ratios.push({ name: 'exec p50', value: exec, unit: 'ms', bound: '<= 1.5', holds: exec <= 1.5 });
  if (exec !== undefined && engineExec !== undefined) {
    const value = round(engineExec / exec);
    ratios.push({ name: 'engine-exec / nanoclaw-exec', value, unit: '×', bound: '>= 30', holds: value >= 30 });
  }
  if (cold !== undefined && apiCold !== undefined) {
    const value = round(cold - apiCold);
    ratios.push({ name: 'nanoclaw-cold - engine-api-cold', value, unit: 'ms', bound: '<= 30', holds: value <= 30 });
  }
  return ratios;
}
