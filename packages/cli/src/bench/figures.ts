import { Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSandbox, type Sandbox, type SandboxRuntime } from '@nanoclaw/core';
import { timed } from './rounds.ts';
import { median, round } from './samples.ts';

/** One number that the project promises a bound for. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it must stay under or reach; `undefined` where nothing is promised. */
  readonly bound: { readonly atMost: number } | { readonly atLeast: number } | undefined;
  readonly note: string;
}

const mebibyte = 1_048_576;

/** Resident memory of the runner, read from inside after many commands. */
export async function runnerMemory(
  sandbox: Sandbox,
  execs: number,
  onProgress: (text: string) => void,
): Promise<Figure> {
  const batch = 1_000;
  for (let done = 0; done < execs; done += batch) {
    for (let index = 0; index < Math.min(batch, execs - done); index += 1) await sandbox.exec(['true']);
    onProgress(`runner memory: ${Math.min(done + batch, execs)} of ${execs} commands`);
  }
  const { stdout } = await sandbox.exec(['cat', '/proc/1/status']);
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(stdout)?.[1]);
  if (!Number.isFinite(kibibytes)) throw new Error('/proc/1/status inside has no VmRSS');
  return {
    name: 'runner-rss',
    value: round(kibibytes / 1_024),
    unit: 'MiB',
    bound: { atMost: 6 },
    note: `resident memory of PID 1 after ${execs} commands, read inside`,
  };
}

/** What this process needs for each sandbox that does nothing. */
export async function hostMemory(
  runtime: SandboxRuntime,
  image: string,
  count: number,
  onProgress: (text: string) => void,
): Promise<readonly Figure[]> {
  const kept: Sandbox[] = [];
  const start = async (): Promise<void> => {
    const sandbox = await createSandbox({ runtime, image });
    await sandbox.exec(['true']);
    kept.push(sandbox);
  };
  try {
    // The first ones pay for what all share: code, pools, caches.
    for (let index = 0; index < Math.min(10, count); index += 1) await start();
    const before = await settledMemory();
    for (let index = 0; index < count; index += 1) {
      await start();
      onProgress(`host memory: ${index + 1} of ${count} idle sandboxes`);
    }
    const after = await settledMemory();
    const each = (key: 'rss' | 'used'): number => round((after[key] - before[key]) / count / mebibyte);
    return [
      {
        name: 'host-rss-per-idle-sandbox',
        value: each('rss'),
        unit: 'MiB',
        bound: { atMost: 0.5 },
        note: `growth of this process's resident memory over ${count} sandboxes`,
      },
      {
        name: 'host-heap-per-idle-sandbox',
        value: each('used'),
        unit: 'MiB',
        bound: undefined,
        note: 'growth of heap, buffers and external memory, after collection',
      },
    ];
  } finally {
    await Promise.allSettled(kept.map((sandbox) => sandbox.destroy()));
  }
}

/** How fast a command's output gets out, discarded on arrival. */
export async function throughput(sandbox: Sandbox, mebibytes: number, runs: number): Promise<Figure> {
  const rates: number[] = [];
  for (let index = 0; index < runs; index += 1) {
    let bytes = 0;
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        bytes += chunk.length;
        callback();
      },
    });
    const elapsedMs = await timed(() =>
      sandbox.exec(['dd', 'if=/dev/zero', 'bs=65536', `count=${mebibytes * 16}`], { stdout }),
    );
    if (bytes !== mebibytes * mebibyte) throw new Error(`${bytes} bytes of ${mebibytes} MiB arrived`);
    rates.push(bytes / 1e6 / (elapsedMs / 1_000));
  }
  return {
    name: 'stdout-throughput',
    value: round(median(rates)),
    unit: 'MB/s',
    bound: { atLeast: 100 },
    note: `median of ${runs} runs of ${mebibytes} MiB; the sandbox has one CPU`,
  };
}

async function settledMemory(): Promise<{ rss: number; used: number }> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let pass = 0; pass < 4; pass += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, used: heapUsed + external };
}

export function holds({ value, bound }: Figure): boolean | undefined {
  if (bound === undefined) return undefined;
  return 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast;
}
