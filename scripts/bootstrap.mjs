// `npm start`, `npm test` and `npm run setup`: from a fresh clone on a machine with any Node ≥ 18 to a
// running demonstration or a finished test run. Plain JavaScript without dependencies, since nothing is
// installed yet. Every step looks first at what is there, so that a second run takes a second.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureEngineForUse } from './ensure-engine.mjs';
import { ensureGo } from './go.mjs';
import { formatDuration, note, openStep, PlainError, runMain, say } from './lines.mjs';
import { runCommand } from './run-command.mjs';
import { runTests, summarise } from './run-tests.mjs';
import { ensureNode, ensurePnpm, recordNode, toolchainEnvironment } from './toolchain.mjs';
import { buildPackages, installDependencies } from './workspace.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const startedAt = Date.now();
const commands = {
  setup: { steps: 5, run: setUpOnly },
  start: { steps: 7, run: start },
  test: { steps: 7, run: test },
};

await runMain(async () => {
  const [name, ...rest] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (!command) throw new PlainError(`Expected 'start', 'test' or 'setup', got '${name ?? ''}'.`);
  let current = 0;
  const step = (what) => {
    current += 1;
    openStep(`[${current}/${command.steps}] ${what}`);
  };
  const separator = rest.indexOf('--');
  return command.run(step, separator < 0 ? rest : [...rest.slice(0, separator), ...rest.slice(separator + 1)]);
});

/** Steps 1 to 5, the same for every command. */
async function setUp(step) {
  step('Node');
  const node = await ensureNode();
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  step('pnpm');
  const pnpm = await ensurePnpm(node, packageManager);
  const environment = toolchainEnvironment(node, pnpm);
  step('Dependencies');
  await installDependencies(root, { node, pnpm, environment });
  recordNode(root, node);
  step('Go');
  const goDirectory = await ensureGo(root);
  if (goDirectory) environment.PATH = `${environment.PATH}:${goDirectory}`;
  step('Build');
  await buildPackages(root, { node, pnpm, environment, hasGo: Boolean(goDirectory) });
  return { node, environment };
}

async function setUpOnly(step) {
  await setUp(step);
  say(`Set up in ${elapsed()}.`);
  return 0;
}

async function start(step, demoArguments) {
  const { node, environment } = await setUp(step);
  step('Container engine');
  const engine = await ensureEngineForUse(root, environment);
  step('Demonstration');
  note(`everything is in place after ${elapsed()}`);
  const { code, signal } = await runCommand(node, [join(root, 'scripts', 'demo.mjs'), ...demoArguments], {
    cwd: root,
    env: { ...environment, ...engine },
    stdio: 'inherit',
  });
  say(`npm start took ${elapsed()} in all.`);
  return signal ? 1 : code;
}

async function test(step, filter) {
  let results;
  try {
    const tools = await setUp(step);
    results = await runTests(root, { ...tools, step, filter });
  } catch (error) {
    // Whatever stops the run, its last line is the count: no tests is never taken for no failures.
    say(error instanceof PlainError ? error.message : error.stack);
    results = [{ name: 'set-up', passed: 0, failed: 1, skipped: 0 }];
  }
  return summarise(results, elapsed());
}

function elapsed() {
  return formatDuration(Date.now() - startedAt);
}
