// Installs Debian packages, only what is missing, and without letting them start services: what we
// start runs beside whatever the machine's owner has, and leaves his network alone.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onInterrupt } from '../../scripts/interrupt.mjs';
import { note, PlainError, withHeartbeat } from '../../scripts/lines.mjs';
import { mustRun, runCommand } from '../../scripts/run-command.mjs';
import { readJson, stateDirectory, writeAtomically } from './state.mjs';

const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY_MARK = '# written by nanoclaw test/host/up for the time of one installation';
const POLICY = `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`;
// Optional packages that this release does not have: asked once, not at every start.
const UNAVAILABLE_FILE = join(stateDirectory, 'unavailable-packages.json');
const APT = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];

/** Why packages cannot be installed here, as a sentence; undefined when they can. */
export function whyNoApt() {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (!existsSync('/usr/bin/apt-get')) return 'there is no apt-get (not Debian or Ubuntu)';
  if (process.getuid() !== 0) return `this is uid ${process.getuid()}, and apt-get needs root`;
  return undefined;
}

/** The distribution's `ID` and `VERSION_CODENAME`. */
export function readDistribution() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const read = (key) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: read('ID'), codename: read('VERSION_CODENAME') };
}

/**
 * Makes sure that `required` are installed (an error if one cannot be had), and of `optional` those that
 * this release has. Answers what was missing. Asks dpkg first: with nothing missing, apt is not run at all.
 */
export async function ensurePackages({ required, optional = [] }) {
  const unavailable = readJson(UNAVAILABLE_FILE) ?? [];
  const missing = await missingOf([...required, ...optional.filter((name) => !unavailable.includes(name))]);
  if (missing.length === 0) return [];
  const why = whyNoApt();
  if (why)
    throw new PlainError(
      `Missing packages: ${missing.join(' ')}, and ${why}.\nNext: as root, apt-get install ${missing.join(' ')}`,
    );
  note(`installing ${missing.join(' ')} with apt-get`);
  await withoutServiceStarts(async () => {
    // An installation that was interrupted before leaves packages unpacked but not configured.
    await mustRun('Finishing earlier package work', 'dpkg', ['--configure', '-a'], { env: aptEnvironment() });
    const lists = await withHeartbeat('Package lists', () =>
      runCommand('apt-get', ['update', ...APT], { env: aptEnvironment() }),
    );
    // One source of somebody else's that fails must not stop us: what we need may come from the others.
    if (lists.code !== 0) note('apt-get update reported an error; going on with the lists that there are');
    const wanted = missing.filter((name) => required.includes(name));
    if (wanted.length > 0) await install(wanted);
    for (const name of missing.filter((candidate) => optional.includes(candidate))) {
      const known = (await runCommand('apt-cache', ['show', name])).code === 0;
      if (known) await install([name]);
      else unavailable.push(name);
    }
    writeAtomically(UNAVAILABLE_FILE, JSON.stringify(unavailable));
    if (unavailable.length > 0)
      note(`not in this release: ${unavailable.join(' ')}; what needs them is reported as not run`);
  });
  return missing;
}

async function install(names) {
  await mustRun(`Installing ${names.join(' ')}`, 'apt-get', ['install', '--no-install-recommends', ...APT, ...names], {
    env: aptEnvironment(),
  });
}

async function missingOf(names) {
  const format = `\${Package} \${db:Status-Status}\\n`;
  const { output } = await runCommand('dpkg-query', ['-W', '-f', format, ...names]);
  const installed = new Set(
    output
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

function aptEnvironment() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
}

/** Debian's own switch for "do not start services now"; a file that somebody else put there stays. */
async function withoutServiceStarts(work) {
  const foreign = existsSync(POLICY_FILE) && !readFileSync(POLICY_FILE, 'utf8').includes(POLICY_MARK);
  if (foreign) return work();
  const remove = () => rmSync(POLICY_FILE, { force: true });
  const release = onInterrupt(remove);
  writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 });
  try {
    return await work();
  } finally {
    remove();
    release();
  }
}
