import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Sandbox } from '@nanoclaw/core';
import { findRunner } from '@nanoclaw/runner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';
import { Lab, payloads, runPayload } from './support/lab.ts';
import { surface } from './support/surface-table.ts';
import { runUnhardened } from './support/unhardened.ts';

type Outcomes = Readonly<Record<string, string>>;

const run = promisify(execFile);
const rows = surface.flatMap((group) => group.actions.map((action) => ({ ...group, action })));

async function golden(name: string): Promise<Outcomes> {
  const path = fileURLToPath(new URL(`./golden/${name}.json`, import.meta.url));
  return JSON.parse(await readFile(path, 'utf8')) as Outcomes;
}

/** Compares with a golden file, or writes it anew with `NANOCLAW_UPDATE_GOLDEN=1`, to be reviewed as any other change. */
async function expectGolden(name: string, found: Outcomes): Promise<Outcomes> {
  if (process.env.NANOCLAW_UPDATE_GOLDEN === '1') {
    const path = fileURLToPath(new URL(`./golden/${name}.json`, import.meta.url));
    await writeFile(path, `${JSON.stringify(found, null, 2)}\n`);
  }
  return golden(name);
}

async function hashes(): Promise<Readonly<Record<string, string>>> {
  const runner = await findRunner(process.arch === 'arm64' ? 'arm64' : 'amd64');
  const found: Record<string, string> = {};
  for (const path of [runner, '/usr/sbin/runc', '/usr/bin/runc', '/usr/bin/containerd-shim-runc-v2']) {
    const content = path === undefined ? undefined : await readFile(path).catch(() => undefined);
    if (path !== undefined && content !== undefined) found[path] = createHash('sha256').update(content).digest('hex');
  }
  return found;
}

describeEngine('the kernel surface of a sandbox', () => {
  const lab = new Lab();
  let sandbox: Sandbox;
  let outcomes: Outcomes;
  let before: Readonly<Record<string, string>>;

  beforeAll(async () => {
    before = await hashes();
    sandbox = await lab.sandbox();
    outcomes = await runPayload<Outcomes>(sandbox, 'kernel_surface');
  });

  afterAll(async () => {
    await sandbox?.destroy();
    await lab.assertRecovered();
    await lab[Symbol.asyncDispose]();
  });

  it('is tried with exactly the actions of the table', () => {
    expect(Object.keys(outcomes).sort()).toEqual(rows.map(({ action }) => action).sort());
  });

  it.each(rows)('$case $name: $action', ({ action, expected }) => {
    expect(expected).toContain(outcomes[action]);
  });

  it('13, 15: leaves the runner running and the connection sound', async () => {
    // A forged frame would have ended the connection; a stopped runner would not answer.
    const again = await runPayload<Outcomes>(sandbox, 'kernel_surface', 'state of PID 1');
    expect(again).toEqual({ 'state of PID 1': 'ok:running' });
    const state = await Promise.race([sandbox.gone, Promise.resolve('alive')]);
    expect(state).toBe('alive');
  });

  it('41: leaves the runtime and the runner on the host as they were', async () => {
    expect(Object.keys(before).length).toBeGreaterThan(1);
    expect(await hashes()).toEqual(before);
  });

  it('is refused by the hardening: without it all of this gets further, but for what the golden list names', async () => {
    const directory = await lab.directory();
    const archive = join(directory, 'payloads.tar');
    const source = fileURLToPath(new URL('.', import.meta.url));
    await run('tar', ['-cf', archive, '--transform', 's,^payloads,workspace/payloads,', '-C', source, 'payloads']);
    const command = ['python3', '-B', `${payloads}/kernel_surface.py`];
    const text = await runUnhardened(dockerHost(), testImages.python, command, await readFile(archive));
    const free = JSON.parse(text) as Outcomes;
    expect(Object.keys(free).sort()).toEqual(Object.keys(outcomes).sort());
    const allowedHere = new Set(['ok', 'ok:running']);
    const alike = rows
      .filter(
        ({ action, expected }) =>
          expected.includes(free[action] ?? '') && !expected.every((value) => allowedHere.has(value)),
      )
      .map(({ action }) => action);
    const found = Object.fromEntries(alike.map((action) => [action, free[action] ?? '']));
    expect(found).toEqual(await expectGolden('fails-anywhere', found));
    expect(rows.length - alike.length).toBeGreaterThan(200);
  });

  // The golden files are of one architecture; what another one answers has to be looked at once before it can be one.
  it.skipIf(process.arch !== 'x64')('makes every system call and is answered as the golden list says', async () => {
    const found = await runPayload<Outcomes>(sandbox, 'syscall_table');
    const expected = await expectGolden('system-calls-x86_64', found);
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    expect(Object.keys(found).length).toBeGreaterThan(500);
    const different = Object.keys(found).filter((name) => !isAlike(name, expected[name], found[name]));
    expect(different.map((name) => `${name}: ${expected[name]} before, ${found[name]} now`)).toEqual([]);
  });

  describe('34 info-leak', () => {
    let found: Outcomes;
    beforeAll(async () => {
      found = await runPayload<Outcomes>(sandbox, 'proc_access');
    });

    it('sees of its host what the golden list says', async () => {
      const expected = await expectGolden('host-files', found);
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      // A kernel without a file, or that lets nobody read it, shows less.
      const more = Object.keys(found).filter(
        (path) => found[path] !== expected[path] && !/^E[A-Z]+$/.test(found[path] ?? ''),
      );
      expect(more.map((path) => `${path}: ${expected[path]} before, ${found[path]} now`)).toEqual([]);
    });

    it('can write to nothing that is not its own', () => {
      // Its own process and devices, what is masked by /dev/null, and two files of PID 1 that anybody may open but not write.
      const own =
        /^\/proc\/self\/|^\/proc\/1\/(attr\/current|timerslack_ns)$|^\/dev\/(null|zero|full|random|urandom|ptmx|pts\/ptmx|shm|mqueue|fd|stdin)$/;
      const writable = Object.keys(found).filter(
        (path) => found[path]?.endsWith('writable') && found[path] !== 'empty, writable',
      );
      expect(writable.filter((path) => !own.test(path))).toEqual([]);
    });
  });
});

/** Calls that are newer than some libseccomp in use: where it has no name for one, the engine answers ENOSYS. */
const young = new Set([
  ...[
    'cachestat',
    'fchmodat2',
    'map_shadow_stack',
    'futex_wake',
    'futex_wait',
    'futex_requeue',
    'mseal',
    'uretprobe',
    'uprobe',
  ],
  ...['setxattrat', 'getxattrat', 'listxattrat', 'removexattrat'],
]);

function isAlike(name: string, expected: string | undefined, found: string | undefined): boolean {
  if (expected === found) return true;
  if (young.has(name)) return found === 'ENOSYS' || found === 'allowed';
  // The rest that is newer than the engine: refused either way.
  return expected === 'ENOSYS' && found === 'EPERM';
}
