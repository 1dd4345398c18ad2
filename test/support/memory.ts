import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that this process really holds, after garbage collection: JavaScript's heap and buffers outside of it. */
export function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Watches what the process holds while something runs; resolves with the largest growth over the start, in bytes. */
export async function largestGrowth(work: () => Promise<unknown>): Promise<number> {
  const before = heldBytes();
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, heldBytes() - before);
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, heldBytes() - before);
}
