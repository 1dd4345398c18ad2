// Ends the engines that `up` started, and nothing else. Run through `test/host/down`.

import { runMain, say } from '../../scripts/lines.mjs';
import { dockerEngine } from './docker.mjs';
import { writeEnvironment } from './state.mjs';

const engines = [dockerEngine];

await runMain(async () => {
  for (const engine of engines) {
    const ran = await engine.down();
    say(`test/host/down: ${engine.name} ${ran ? 'ended' : 'was not running'}`);
  }
  writeEnvironment({});
});
