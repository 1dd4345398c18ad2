// What `npm test` does once everything is built: an engine, then suite after suite, then the count.
import { ensureEngineForTests } from './ensure-engine.mjs';
import { formatDuration, note, PlainError, say } from './lines.mjs';
import { goSuites, staticChecks, vitestSuite } from './test-suites.mjs';

/** Runs the suites (with a `filter` for vitest: vitest alone) and answers the counts of each. */
export async function runTests(root, { node, environment, step, filter }) {
  const results = [];
  step('Container engine');
  const engine = await findOrStartEngine(root, environment, results);
  step('Tests');
  const suiteEnvironment = { ...environment, ...engine };
  const vitest = vitestSuite(root, node, suiteEnvironment, filter);
  const all = [...staticChecks(root, suiteEnvironment), ...goSuites(root, suiteEnvironment), vitest];
  const chosen = filter.length > 0 ? [vitest] : all;
  note(chosen.map((suite) => suite.name).join(', '));
  for (const suite of chosen) results.push(await runSuite(suite));
  return results;
}

/** Names what failed and closes with the one line that people and machines look for; answers the exit code. */
export function summarise(results, elapsed) {
  const total = (field) => results.reduce((sum, result) => sum + result[field], 0);
  const failing = results.filter((result) => result.failed > 0);
  say();
  for (const result of failing) say(`failed: ${result.name} (${describe(result)})`);
  say(`npm test took ${elapsed} in all.`);
  say(describe({ passed: total('passed'), failed: total('failed'), skipped: total('skipped') }));
  return failing.length > 0 ? 1 : 0;
}

async function findOrStartEngine(root, environment, results) {
  if (environment.NANOCLAW_TEST_ENGINE === 'none') {
    note('NANOCLAW_TEST_ENGINE=none: tests that need an engine are reported as skipped');
    return {};
  }
  try {
    return await ensureEngineForTests(root, environment);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    note(`none\n${error.message}`);
    note('The suites that need no engine are run all the same.');
    results.push({ name: 'container engine', passed: 0, failed: 1, skipped: 0 });
    return { NANOCLAW_TEST_ENGINE: 'none' };
  }
}

async function runSuite({ name, run }) {
  const startedAt = Date.now();
  say(`\n--- ${name}`);
  let counts;
  try {
    counts = await run();
  } catch (error) {
    say(error instanceof PlainError ? error.message : error.stack);
    counts = { passed: 0, failed: 1, skipped: 0 };
  }
  say(`--- ${name}: ${describe(counts)} (${formatDuration(Date.now() - startedAt)})`);
  return { name, ...counts };
}

function describe({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
