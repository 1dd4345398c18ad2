// Brings up the engines of the tests with the test images in them. Run through `test/host/up`.

import { formatDuration, openStep, PlainError, runMain, say } from '../../scripts/lines.mjs';
import { ensurePackages, whyNoApt } from './apt.mjs';
import { dockerEngine } from './docker.mjs';
import { imagePackages } from './image-archives.mjs';
import { buildTestImages, loadTestImages } from './images.mjs';
import { stateDirectory, writeEnvironment } from './state.mjs';

/** One line per engine; each is a module of this folder. */
const engines = [dockerEngine];

await runMain(async () => {
  const startedAt = Date.now();
  const why = whyNoApt();
  if (why)
    throw new PlainError(
      `test/host/up cannot install an engine: ${why}.\nNext: start one yourself and name it in DOCKER_HOST.`,
    );
  openStep('test/host/up, packages');
  const installed = await ensurePackages({
    required: [...imagePackages.required, ...engines.flatMap((engine) => engine.packages.required)],
    optional: engines.flatMap((engine) => engine.packages.optional),
  });
  for (const engine of engines) await engine.afterInstall(installed);
  openStep('test/host/up, images');
  await buildTestImages();
  const environment = { NANOCLAW_TEST_STATE: stateDirectory };
  for (const engine of engines) {
    openStep(`test/host/up, ${engine.name}`);
    const running = await engine.up();
    await loadTestImages(running.host, { quiet: false });
    Object.assign(environment, running.environment);
  }
  writeEnvironment(environment);
  say(`test/host/up: ready after ${formatDuration(Date.now() - startedAt)}; variables in test/host/.run/env`);
});
