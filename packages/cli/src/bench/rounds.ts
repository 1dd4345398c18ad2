import { Samples } from './samples.ts';

/** One thing that is measured. */
export interface Subject {
  readonly scenario: string;
  readonly subject: string;
  readonly runtime: string;
  /** How it was done, for readers of the table. */
  readonly note: string;
  /** How often a round repeats it: what takes a millisecond needs more samples than what takes a hundred. */
  readonly perRound: number;
  /** Does it once and answers the milliseconds that count; preparing and tidying up is its own affair. */
  readonly measure: () => Promise<number>;
}

const warmUpRounds = 2;
/** A subject that fails this often at the start is given up, so that a broken one doesn't cost minutes. */
const hopelessErrors = 3;

/**
 * Measures all subjects in interleaved rounds, so that whatever else the machine does hits them alike. Every other round goes
 * backwards. The first rounds don't count.
 */
export async function measureInterleaved(
  subjects: readonly Subject[],
  rounds: number,
  onRound: (done: number, total: number) => void,
): Promise<ReadonlyMap<Subject, Samples>> {
  const samples = new Map(subjects.map((subject) => [subject, new Samples()]));
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      const taken = samples.get(subject) ?? new Samples();
      if (taken.values.length === 0 && taken.errors >= hopelessErrors) continue;
      for (let repeat = 0; repeat < subject.perRound; repeat += 1) {
        try {
          const elapsedMs = await subject.measure();
          if (round >= 0) taken.values.push(elapsedMs);
        } catch (error) {
          taken.addError(error);
          break;
        }
      }
    }
    onRound(Math.max(0, round + 1), rounds);
  }
  return samples;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
