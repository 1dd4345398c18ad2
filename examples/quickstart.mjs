import { createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';

const image = process.env.NANOCLAW_IMAGE ?? 'python:3.13-slim';
const runtime = createDockerRuntime();
{
  // No network, no capabilities, a read-only root, 512 MiB, one CPU, 256 processes: the default policy.
  await using sandbox = await createSandbox({ runtime, image, policy: { execTimeout: '30s' } });

  await sandbox.writeFile('words.txt', 'to be or not to be');
  const script = `from collections import Counter; print(Counter(open('words.txt').read().split()).most_common(2))`;
  const { exitCode, stdout, stderr } = await sandbox.exec(['python3', '-c', script]);
  console.log(exitCode, stdout.trim(), stderr);

  await sandbox.exec(['sh', '-c', "tr ' ' '\\n' < words.txt | sort -u > result.txt"]);
  console.log((await sandbox.readFile('result.txt')).toString('utf8'));

  // What was proved about this sandbox before anything of yours ran.
  for (const { control, found, evidence } of sandbox.attestation.controls)
    console.log(`${control}: ${found} (${evidence})`);
}
await runtime.close();
