import { createSandbox, defaultDeadlines, type Logger, RuntimeGuard, type SandboxRuntime } from '@nanoclaw/core';
import { messageOf } from '../output.ts';
import { createEngineApi, type EngineApi } from './engine-api.ts';
import { apiCold, apiExec, clientExec, clientRun, findClient } from './engine-subjects.ts';
import { type Figure, hostMemory, runnerMemory, throughput } from './figures.ts';
import { describeMachine, describeNoise, describeVersions, type Machine } from './machine.ts';
import { nanoclawCold, nanoclawExec, nanoclawRun } from './nanoclaw-subjects.ts';
import { type Ratio, toRatios } from './ratios.ts';
import { measureInterleaved, type Subject } from './rounds.ts';
import type { BenchResult, Samples } from './samples.ts';

export interface ExecBenchOptions {
  readonly runtime: SandboxRuntime;
  readonly image: string;
  readonly iterations: number;
  readonly logger: Logger;
  readonly onProgress: (text: string) => void;
}

export interface ExecBench {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly results: readonly BenchResult[];
  readonly figures: readonly Figure[];
  readonly ratios: readonly Ratio[];
  /** What makes the absolute times worth less. */
  readonly warnings: readonly string[];
  readonly notRun: readonly { readonly subject: string; readonly reason: string }[];
  readonly samples: ReadonlyMap<string, Samples>;
  readonly notes: ReadonlyMap<string, string>;
}

/** With fewer iterations than this it is a quick run, whose figures are smaller samples too. */
const fullIterations = 50;

/** Measures commands, cold starts, memory and throughput on one engine, against the engine's own ways. */
export async function runExecBench({
  runtime,
  image,
  iterations,
  logger,
  onProgress,
}: ExecBenchOptions): Promise<ExecBench> {
  const machine = describeMachine();
  const capabilities = await new RuntimeGuard(runtime, { logger, deadlines: defaultDeadlines }).capabilities();
  const address = capabilities.details.endpoint ?? '';
  const client = await findClient(address);
  const api = createEngineApi(address, capabilities.details.api ?? '1.41');
  const notRun: { subject: string; reason: string }[] = [];
  const full = iterations >= fullIterations;
  try {
    // Lives through all rounds: commands run in it, and its settings are those of the bare starts.
    await using sandbox = await createSandbox({ runtime, image, policy: { lifetime: '2h' } });
    const subjects: Subject[] = [nanoclawExec(sandbox)];
    if (client) subjects.push(clientExec(sandbox.containerId, client.env));
    if (api) subjects.push(apiExec(api, sandbox.containerId, client ? 'engine-api-exec' : 'engine-exec'));
    subjects.push(nanoclawCold(runtime, image));
    if (api) subjects.push(await apiCold(api, sandbox.containerId));
    subjects.push(nanoclawRun(runtime, image));
    if (client) subjects.push(clientRun(image, client.env));
    if (!client)
      notRun.push({ subject: 'engine-cli-run', reason: 'no docker client on PATH; engine-exec goes through the API' });
    if (!api)
      notRun.push({
        subject: 'engine-api-cold',
        reason: `${address} is not spoken to without the driver (TLS or ssh)`,
      });

    const measured = await measureInterleaved(subjects, iterations, (done, total) =>
      onProgress(`round ${done} of ${total}`),
    );
    for (const [{ subject }, { errors, firstError }] of measured) {
      if (errors > 0) notRun.push({ subject, reason: `${errors} errors, the first: ${messageOf(firstError)}` });
    }
    const results = subjects.map((subject) => (measured.get(subject) as Samples).toResult(subject));
    const figures = [
      await runnerMemory(sandbox, full ? 10_000 : iterations * 50, onProgress),
      await throughput(sandbox, full ? 1_024 : 64, 3),
      ...(await hostMemory(runtime, image, full ? 30 : Math.min(5, iterations), onProgress)),
    ];
    return {
      machine,
      versions: describeVersions(capabilities, client?.version),
      results,
      figures,
      ratios: toRatios(results),
      warnings: describeNoise(machine),
      notRun,
      samples: new Map([...measured].map(([{ subject }, samples]) => [subject, samples])),
      notes: new Map(subjects.map(({ subject, note }) => [subject, note])),
    };
  } finally {
    closeApi(api);
  }
}

function closeApi(api: EngineApi | undefined): void {
  api?.close();
}
