import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const mebibyte = 1_048_576;

/**
 * By how many MiB the resident memory of this process grew at most while the work was done. Garbage is collected before each
 * look, since when V8 would have done so is not what is asked: what counts is what somebody holds.
 */
export async function residentGrowth(work: () => Promise<void>): Promise<number> {
  collect();
  const before = process.memoryUsage.rss();
  let peak = before;
  const look = (): void => {
    collect();
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return (peak - before) / mebibyte;
}

/** MiB of memory that this machine's kernel holds for itself and can't give back. Only of use where the engine is here too. */
export async function kernelMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const kibibytes = ['SUnreclaim', 'KernelStack', 'PageTables', 'Shmem'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0),
  );
  return kibibytes.reduce((sum, value) => sum + value, 0) / 1_024;
}
