// A host process that a test kills: it makes sandboxes and uses them in a phase of the test's choice, for ever.
import { createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';

const [phase, marker] = process.argv.slice(2);
const runtime = createDockerRuntime({ host: process.env.DOCKER_HOST ?? '' });
const make = () =>
  createSandbox({ runtime, image: 'nanoclaw-test/busybox:1', labels: { 'nanoclaw.test': marker ?? '' } });

if (phase === 'start') {
  for (;;) await (await make()).destroy();
}
const sandbox = await make();
process.stdout.write('ready\n');
switch (phase) {
  case 'idle':
    await sandbox.gone;
    break;
  case 'exec':
    await sandbox
      .spawn(['sh', '-c', '(setsid sleep 1000 &) ; trap "" TERM HUP INT; while :; do echo x; done'])
      .then((p) => p.stdout.resume());
    await sandbox.gone;
    break;
  case 'transfer':
    for (;;) {
      await sandbox.writeFile('/workspace/big', Buffer.alloc(40 * 1_048_576, 7));
      await sandbox.readFile('/workspace/big');
    }
}
