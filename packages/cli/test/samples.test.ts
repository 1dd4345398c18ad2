import { describe, expect, it } from 'vitest';
import { measureInterleaved, type Subject } from '../src/bench/rounds.ts';
import { median, percentile, Samples } from '../src/bench/samples.ts';

describe('percentile', () => {
  it('is the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(values, share))).toEqual([50, 95, 99, 100]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBe(0);
    expect(median([3, 1, 2])).toBe(2);
  });
});

describe('measureInterleaved', () => {
  const order: string[] = [];
  const subject = (name: string, perRound: number, measure: () => Promise<number>): Subject => ({
    scenario: 's',
    subject: name,
    runtime: 'r',
    note: '',
    perRound,
    measure: () => {
      order.push(name);
      return measure();
    },
  });

  it('takes turns, backwards every other round, does not count the first rounds, and gives up what only fails', async () => {
    const a = subject('a', 2, async () => 1);
    const b = subject('b', 1, async () => 2);
    const broken = subject('x', 1, () => Promise.reject(new Error('no')));
    const measured = await measureInterleaved([a, b, broken], 4, () => undefined);
    expect(measured.get(a)?.values).toHaveLength(8);
    expect(measured.get(b)?.values).toEqual([2, 2, 2, 2]);
    expect(measured.get(broken)).toMatchObject({ errors: 3, values: [] });
    expect(order.slice(0, 8)).toEqual(['a', 'a', 'b', 'x', 'x', 'b', 'a', 'a']);
    expect(new Samples().toResult(a)).toMatchObject({ n: 0, p50Ms: 0, maxMs: 0, errors: 0 });
  });
});
