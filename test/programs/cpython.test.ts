import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createSandbox, type PolicyInput, type Sandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';
import {
  absentModules,
  type Exclusion,
  exclusions,
  longExclusions,
  longModules,
  modules,
  sandboxSkips,
} from './cpython-modules.ts';

const isLong = process.env.NANOCLAW_LONG === '1';
const minutes = 60_000;

/** One test as CPython's own report has it. */
interface Outcome {
  /** Module and class, as far as the report names them: `test.test_os`. */
  readonly group: string;
  readonly name: string;
  readonly kind: 'passed' | 'skipped' | 'failed';
  readonly detail: string;
}

/** How many tests of a group passed, and how many skipped themselves for which reason. */
type Summary = Readonly<
  Record<string, { readonly passed: number; readonly skipped: Readonly<Record<string, number>> }>
>;

function unescapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? '');
}

function parseReport(xml: string): readonly Outcome[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs);
  return [...cases].map(([, name = '', body = '']) => {
    const id = unescapeXml(name);
    const group = id.split('.').slice(0, 2).join('.');
    const skipped = /<skipped>(.*?)<\/skipped>/s.exec(body);
    const failed = /<(?:error|failure)\b/.test(body);
    const kind = failed ? 'failed' : skipped || /<skipped\b/.test(body) ? 'skipped' : 'passed';
    return { group, name: id, kind, detail: unescapeXml(skipped?.[1] ?? (failed ? body : '')).trim() };
  });
}

/** Reasons without what differs from run to run. */
function reasonOf(detail: string): string {
  return detail
    .replace(/@test_\d+/, '@test_N')
    .replace(/\d+ MiB of free/, 'N MiB of free')
    .replace(/\s+/g, ' ');
}

function summarize(outcomes: readonly Outcome[]): Summary {
  const found: Record<string, { passed: number; skipped: Record<string, number> }> = {};
  for (const { group, kind, detail } of outcomes) {
    const entry = found[group] ?? { passed: 0, skipped: {} };
    found[group] = entry;
    if (kind === 'passed') entry.passed += 1;
    if (kind === 'skipped') entry.skipped[reasonOf(detail)] = (entry.skipped[reasonOf(detail)] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a.localeCompare(b)));
}

const goldenPath = (name: string) => fileURLToPath(new URL(`./golden/${name}.json`, import.meta.url));

/** What passes and what is skipped, looked at by a person once. Written anew with NANOCLAW_UPDATE_GOLDEN=1. */
async function golden(name: string, found: Summary): Promise<Summary> {
  if (process.env.NANOCLAW_UPDATE_GOLDEN === '1')
    await writeFile(goldenPath(name), `${JSON.stringify(found, null, 2)}\n`);
  return JSON.parse(await readFile(goldenPath(name), 'utf8')) as Summary;
}

describeEngine("CPython's own regression tests, under the default policy", () => {
  const runtime = createDockerRuntime({ host: dockerHost() });
  // The default policy with more time: a command has a minute else.
  const policy: PolicyInput = { execTimeout: '10m', lifetime: '30m' };
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await createSandbox({ runtime, image: testImages.python, policy });
    // Some tests run programs that they write, which /tmp does not allow and /workspace does.
    await sandbox.mkdir('/workspace/t');
  });

  afterAll(async () => {
    await sandbox?.destroy();
    await runtime.close();
  });

  const regrtest = (args: readonly string[]) =>
    sandbox.exec(['python3', '-B', '-m', 'test', '--tempdir', '/workspace/t', ...args], {
      env: { TMPDIR: '/workspace/t' },
      maxOutputBytes: 16 * 1_048_576,
    });

  async function runModules(names: readonly string[], ignored: readonly Exclusion[]): Promise<readonly Outcome[]> {
    await sandbox.remove('/workspace/report.xml', { recursive: true });
    const ignore = ignored.flatMap(({ pattern }) => ['--ignore', pattern]);
    const result = await regrtest([
      '-j2',
      '--timeout',
      '180',
      '--junit-xml',
      '/workspace/report.xml',
      ...ignore,
      ...names,
    ]);
    // The tail of its output says which module failed, and why.
    expect(result.exitCode, `${result.stdout}\n${result.stderr}`.slice(-6_000)).toBe(0);
    expect(result.oomKilled).toBe(false);
    return parseReport((await sandbox.readFile('/workspace/report.xml')).toString('utf8'));
  }

  function assertOutcomes(outcomes: readonly Outcome[], expected: Summary): void {
    expect(
      outcomes.filter(({ kind }) => kind === 'failed').map(({ name, detail }) => `${name}: ${detail.slice(-300)}`),
    ).toEqual([]);
    const found = summarize(outcomes);
    const lost: string[] = [];
    for (const [group, { passed, skipped }] of Object.entries(expected)) {
      const now = found[group] ?? { passed: 0, skipped: {} };
      if (now.passed < passed) lost.push(`${group}: ${passed} passed before, ${now.passed} now`);
      for (const [reason, count] of Object.entries(now.skipped)) {
        if (count > (skipped[reason] ?? 0))
          lost.push(`${group}: skipped ${count} times, ${skipped[reason] ?? 0} before: ${reason}`);
      }
    }
    expect(lost).toEqual([]);
  }

  it(
    'pass, but for what is left out by name; what skips itself is what is known to',
    async () => {
      const outcomes = await runModules(modules, exclusions);
      expect(outcomes.length).toBeGreaterThan(5_500);
      assertOutcomes(outcomes, await golden('cpython', summarize(outcomes)));
    },
    6 * minutes,
  );

  it.runIf(isLong)(
    'pass, the long ones too',
    async () => {
      const outcomes = await runModules(longModules, longExclusions);
      assertOutcomes(outcomes, await golden('cpython-long', summarize(outcomes)));
    },
    12 * minutes,
  );

  describe.each(isLong ? [...exclusions, ...longExclusions] : exclusions)(
    '$module $pattern is left out',
    ({ module, pattern, error, why }) => {
      it(`since ${why}`, async () => {
        const { stdout, stderr, exitCode } = await regrtest(['-v', '--timeout', '120', '--match', pattern, module]);
        const text = `${stdout}\n${stderr}`;
        const status = [...text.matchAll(/^(?:test\w+) \([\w.]+\) \.\.\. (.*)$/gm)].map(([, said = '']) => said);
        expect(exitCode).not.toBe(0);
        // None that is left out would pass, so none is left out needlessly.
        expect(status.filter((said) => said === 'ok')).toEqual([]);
        const errors = [...text.matchAll(/^((?:\w+\.)*\w*(?:Error|error)(?::.*)?)$/gm)].map(([, said = '']) => said);
        expect(
          errors.some((said) => error.test(said)),
          errors.slice(0, 20).join('\n'),
        ).toBe(true);
      });
    },
  );

  describe.each(absentModules)('$module as a whole is left out', ({ module, error, why }) => {
    it(`since ${why}`, async () => {
      const { stdout, stderr } = await regrtest(['--timeout', '60', module]);
      expect(`${stdout}\n${stderr}`).toMatch(error);
    });
  });

  it('knows which of the skips are for what a sandbox is', async () => {
    const summary = JSON.parse(await readFile(goldenPath('cpython'), 'utf8')) as Summary;
    const reasons = new Set(Object.values(summary).flatMap(({ skipped }) => Object.keys(skipped)));
    const unused = sandboxSkips.filter((pattern) => ![...reasons].some((reason) => pattern.test(reason)));
    expect(unused).toEqual([]);
    const suspicious = [...reasons].filter((reason) =>
      /permi|privileg|denied|root\b|CAP_|socket.* required|EPERM/i.test(reason),
    );
    expect(suspicious.filter((reason) => !sandboxSkips.some((pattern) => pattern.test(reason)))).toEqual([]);
  });

  it('sqlite works on a file and in memory, with its extensions of the journal', async () => {
    const script = [
      'import sqlite3, threading, os',
      'for name in (":memory:", "/workspace/t/x.db"):',
      '    db = sqlite3.connect(name)',
      '    db.execute("pragma journal_mode=wal")',
      '    db.execute("create table t(a integer primary key, b text)")',
      '    with db: db.executemany("insert into t(b) values(?)", [(str(i),) for i in range(20000)])',
      '    print(db.execute("select count(*), sum(length(b)) from t").fetchone())',
      'other = sqlite3.connect("/workspace/t/x.db")',
      'print(other.execute("pragma integrity_check").fetchone()[0], other.execute("pragma journal_mode").fetchone()[0])',
    ].join('\n');
    const { stdout, stderr } = await sandbox.exec(['python3', '-c', script]);
    expect({ stdout, stderr }).toEqual({ stdout: '(20000, 88890)\n(20000, 88890)\nok wal\n', stderr: '' });
  });
});
