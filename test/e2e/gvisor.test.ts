import { createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

// `test/host/up` registers runsc with its engine: where it is missing there, this fails.
describeEngine('isolation: gvisor', () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  afterAll(() => runtime.close());

  it('is refused as it is, naming what gVisor ignores', async () => {
    const refused = createSandbox({ runtime, image: testImages.busybox, policy: { isolation: 'gvisor' } });
    await expect(refused).rejects.toMatchObject({
      code: 'CONTROL_UNSUPPORTED',
      message: expect.stringMatching(/seccomp.*ignores.*scratch.*relax/s),
    });
  });

  it('runs on a kernel of its own once that is relaxed by name, and says so', async () => {
    await using sandbox = await createSandbox({
      runtime,
      image: testImages.busybox,
      policy: { isolation: 'gvisor', relax: ['seccomp', 'scratch'] },
    });
    expect((await sandbox.exec(['dmesg'])).stdout).toContain('gVisor');
    const outcomes = new Map(sandbox.attestation.controls.map((control) => [control.control, control]));
    expect(outcomes.get('isolation')).toMatchObject({ outcome: 'verified', expected: 'gvisor' });
    expect(outcomes.get('seccomp')).toMatchObject({ outcome: 'relaxed', evidence: 'none' });
    expect(outcomes.get('memory')).toMatchObject({ outcome: 'verified', evidence: 'engine' });
    expect(outcomes.get('capabilities')).toMatchObject({ outcome: 'verified', evidence: 'inside' });
  });

  it('holds its memory limit, by behaviour', async () => {
    await using sandbox = await createSandbox({
      runtime,
      image: testImages.python,
      policy: { isolation: 'gvisor', memory: '256m', relax: ['seccomp', 'scratch'] },
    });
    const bomb = sandbox.exec(['python3', '-c', 'x=[]\nwhile True: x.append(bytearray(1<<20))']);
    await expect(bomb).rejects.toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'out-of-memory' } });
  });

  it('is refused where the engine has no such runtime', async () => {
    const plain = createDockerRuntime({ host: dockerHost(), ociRuntime: 'no-such-runtime' });
    await expect(createSandbox({ runtime: plain, image: testImages.busybox })).rejects.toMatchObject({
      code: 'CONTROL_UNSUPPORTED',
      details: { control: 'isolation' },
    });
    await plain.close();
  });

  it('is not needed for another runtime: crun runs the default policy', async () => {
    const crun = createDockerRuntime({ host: dockerHost(), ociRuntime: 'crun' });
    {
      await using sandbox = await createSandbox({ runtime: crun, image: testImages.busybox });
      expect((await sandbox.exec(['echo', 'crun'])).stdout).toBe('crun\n');
    }
    await crun.close();
  });
});
