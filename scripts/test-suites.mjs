// The suites of `npm test`: each is run to its end, shows its own output, and answers its counts. A suite
// that could not run at all counts as one failure, so that nothing is ever passed by being absent.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { note, say } from './lines.mjs';
import { runCommand } from './run-command.mjs';

const PASSED = { passed: 1, failed: 0, skipped: 0 };
const FAILED = { passed: 0, failed: 1, skipped: 0 };

/** One suite per command of package.json's `check` script: format, lint, types. */
export function staticChecks(root, environment) {
  const script = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts.check ?? '';
  const env = { ...environment, PATH: `${join(root, 'node_modules', '.bin')}:${environment.PATH}` };
  const commands = script.split('&&').map((command) => command.trim());
  return commands.filter(Boolean).map((command) => ({
    name: command,
    run: () => single('sh', ['-c', command], { cwd: root, env }),
  }));
}

/** `go vet` and `go test` of the runner. */
export function goSuites(root, environment) {
  const directory = ['packages/runner', 'packages/runner/go', 'packages/runner/src']
    .map((path) => join(root, path))
    .find((path) => existsSync(join(path, 'go.mod')));
  if (!directory) return [];
  const options = { cwd: directory, env: { ...environment, GOTOOLCHAIN: 'local' } };
  return [
    { name: 'go vet', run: () => single('go', ['vet', './...'], options) },
    { name: 'go test', run: () => goTest(options) },
  ];
}

/** Everything else: vitest, with the developer's own arguments if there are any. */
export function vitestSuite(root, node, environment, extraArguments = []) {
  return { name: 'vitest', run: () => vitest(root, node, environment, extraArguments) };
}

async function single(command, args, options) {
  const { code } = await runCommand(command, args, { ...options, stdio: 'inherit' });
  return code === 0 ? PASSED : FAILED;
}

async function goTest(options) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const outputs = new Map();
  const onEvent = (event) => {
    const key = `${event.Package} ${event.Test ?? ''}`;
    if (event.Action === 'output') {
      // A package's own lines ("ok …", "FAIL …") are shown; a test's only if it fails.
      if (!event.Test) process.stdout.write(event.Output);
      else outputs.set(key, `${outputs.get(key) ?? ''}${event.Output}`);
      return;
    }
    const field = { pass: 'passed', fail: 'failed', skip: 'skipped' }[event.Action];
    if (!field || !event.Test) return;
    counts[field] += 1;
    if (event.Action === 'fail') process.stdout.write(outputs.get(key) ?? '');
    outputs.delete(key);
  };
  const { code } = await runCommand('go', ['test', '-json', './...'], { ...options, onOutput: lineReader(onEvent) });
  return withExitCode(counts, code);
}

async function vitest(root, node, environment, extraArguments) {
  const directory = mkdtempSync(join(tmpdir(), 'nanoclaw-test-'));
  const report = join(directory, 'vitest.json');
  const entry = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  try {
    const args = [entry, 'run', ...reporters, ...extraArguments];
    const { code } = await runCommand(node, args, { cwd: root, env: environment, stdio: 'inherit' });
    if (!existsSync(report)) return FAILED;
    const result = JSON.parse(readFileSync(report, 'utf8'));
    // A file that could not even be loaded has no test to fail in its place.
    const broken = result.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    );
    const counts = {
      passed: result.numPassedTests,
      failed: result.numFailedTests + broken.length,
      skipped: result.numPendingTests + (result.numTodoTests ?? 0),
    };
    return withExitCode(counts, code);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A runner that says failure without naming a test (a build error, a leak at the end) has failed too. */
function withExitCode(counts, code) {
  const ranNothing = counts.passed + counts.failed + counts.skipped === 0;
  if (counts.failed > 0 || (code === 0 && !ranNothing)) return counts;
  if (code === 0) note('no test was executed');
  return { ...counts, failed: 1 };
}

/** Cuts a stream into lines and parses each; what is no JSON (compiler messages) is shown. */
function lineReader(onEvent) {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith('{')) onEvent(JSON.parse(line));
      else say(line);
    }
  };
}
