import { createError, createSandbox, missingControls, parsePolicy, type Sandbox } from '@nanoclaw/core';
import type { Command } from 'commander';
import { begin, type Cli, type CommonOptions } from '../cli.ts';
import { formatAttestation } from '../doctor/attestation-table.ts';
import { describeEngine, toEngineJson } from '../doctor/engine-report.ts';
import { type Found, findEngines } from '../engines.ts';
import { exitCodes } from '../exit-code.ts';
import { complain, say, sayJson } from '../output.ts';

interface DoctorFlags extends CommonOptions {
  readonly deep?: boolean;
  readonly image?: string;
}

const more = `
Exit code 0: at least one engine enforces the default policy. 1: none does, or there is none, and what is said tells what to do.
Nothing is started, but with --deep.`;

export function addDoctor(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('say which engines there are, what each enforces, what not and why, and how to cure it')
    .option('--deep', 'also start a sandbox on the first usable engine and print what it attests (needs --image)')
    .option('--image <reference>', 'image for --deep (or NANOCLAW_IMAGE)')
    .option('--json', 'print {ok, engines, sandbox}')
    .option('--verbose', 'write a log to stderr')
    .addHelpText('after', more)
    .action((flags: DoctorFlags) => begin(cli, 'doctor', flags, () => doctor(flags, cli)));
}

async function doctor(flags: DoctorFlags, cli: Cli): Promise<number> {
  const image = flags.image ?? cli.env.NANOCLAW_IMAGE;
  if (flags.deep && !image) {
    throw createError('INVALID_ARGUMENT', '--deep starts a sandbox: pass --image REF, or set NANOCLAW_IMAGE.', {
      path: '--image',
    });
  }
  const policy = parsePolicy('default');
  const engines = await findEngines(cli.env);
  const usable = engines.find(
    (found) => 'capabilities' in found && missingControls(policy, found.capabilities).length === 0,
  );
  const deep = flags.deep && image && usable ? await startOne(usable, image, cli) : undefined;
  if (flags.json) {
    const sandbox = deep && { sandboxId: deep.id, timings: deep.timings, attestation: deep.attestation };
    sayJson({
      ok: usable !== undefined,
      engines: engines.map((found) => toEngineJson(found, policy)),
      ...(sandbox && { sandbox }),
    });
  } else {
    for (const found of engines) say(`${describeEngine(found, policy)}\n`);
    if (deep) say(`${describeStart(deep, image ?? '')}\n`);
    if (usable) say(`OK: sandboxes can run under the default policy, at ${describePlace(usable)}.`);
    else complain(advice(engines));
  }
  return usable ? 0 : exitCodes.failure;
}

async function startOne(found: Found, image: string, cli: Cli): Promise<Sandbox> {
  const runtime = await found.candidate.open();
  try {
    await using sandbox = await createSandbox({ runtime, image, logger: cli.logger });
    return sandbox;
  } finally {
    await runtime.close();
  }
}

/** What isn't used by itself has to be named. */
function describePlace({ candidate, ...found }: Found): string {
  if (candidate.isDefault || !('capabilities' in found)) return candidate.place;
  return `${candidate.place}, which is not what is used by default: set DOCKER_HOST=${found.capabilities.details.endpoint}`;
}

function describeStart({ timings, attestation }: Sandbox, image: string): string {
  const { startMs, helloMs, totalMs } = timings;
  const title = `A sandbox of ${image} started in ${Math.round(totalMs)} ms (container ${Math.round(startMs)} ms, verification ${Math.round(helloMs)} ms) and attested:`;
  return `${title}\n${formatAttestation(attestation)}`;
}

function advice(engines: readonly Found[]): string {
  if (engines.some((found) => 'capabilities' in found)) {
    return 'no engine here enforces the default policy; each line above says what is missing and how to cure it.';
  }
  return "no engine answers. Install Docker (Debian, Ubuntu: 'sudo apt-get install docker.io'), start it, or set DOCKER_HOST to where one listens.";
}
