import { createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { expect, it } from 'vitest';
import { dockerHost, testImages } from '../support/engine.ts';
it('smokes', async () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  await using sandbox = await createSandbox({ runtime, image: testImages.python });
  console.log(sandbox.timings);
  const r = await sandbox.exec(['python3', '-c', 'print(1)']);
  console.log(r);
  expect(r.exitCode).toBe(0);
  await sandbox.destroy();
  await runtime.close();
});
