/** One line of a benchmark's result; every benchmark of NanoClaw keeps this form. */
export interface BenchResult {
  readonly scenario: string;
  readonly subject: string;
  readonly runtime: string;
  readonly n: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
}

/** The measured times of one subject, as they come. */
export class Samples {
  readonly values: number[] = [];
  errors = 0;
  /** What went wrong first. */
  firstError: unknown;

  addError(error: unknown): void {
    this.errors += 1;
    this.firstError ??= error;
  }

  toResult(names: Pick<BenchResult, 'scenario' | 'subject' | 'runtime'>): BenchResult {
    const sorted = this.values.toSorted((a, b) => a - b);
    return {
      scenario: names.scenario,
      subject: names.subject,
      runtime: names.runtime,
      n: sorted.length,
      p50Ms: round(percentile(sorted, 0.5)),
      p95Ms: round(percentile(sorted, 0.95)),
      p99Ms: round(percentile(sorted, 0.99)),
      maxMs: round(sorted.at(-1) ?? 0),
      errors: this.errors,
    };
  }
}

/** The nearest-rank percentile of sorted values; 0 where there are none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
