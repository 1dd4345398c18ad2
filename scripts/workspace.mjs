// Installing the dependencies and building the packages of this clone.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { note } from './lines.mjs';
import { mustRun } from './run-command.mjs';

/** `pnpm install --frozen-lockfile`, unless what it depends on is what was installed last. */
export async function installDependencies(root, { node, pnpm, environment }) {
  const marker = join(root, 'node_modules', '.cache', 'nanoclaw', 'installed');
  const wanted = fingerprintInputs(root);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) {
    note('unchanged since the last run');
    return;
  }
  note('pnpm install --frozen-lockfile');
  rmSync(marker, { force: true });
  await mustRun('Installing dependencies', node, [pnpm, 'install', '--frozen-lockfile'], {
    cwd: root,
    // Without a terminal pnpm asks no questions; CI=true says the same where there is one.
    env: { ...environment, CI: 'true' },
    cure: "Next: check that 'npm ping' answers on this machine, then run the same command again.",
  });
  mkdirSync(join(marker, '..'), { recursive: true });
  writeFileSync(marker, wanted);
}

/** Compiles the packages, and the runner where there is a Go to do it with. */
export async function buildPackages(root, { node, pnpm, environment, hasGo }) {
  const script = hasGo ? ['run', 'build'] : ['exec', 'tsc', '-b'];
  note(hasGo ? 'TypeScript and the Go runner' : 'TypeScript (the runner is prebuilt)');
  await mustRun('Building', node, [pnpm, ...script], { cwd: root, env: environment });
}

function fingerprintInputs(root) {
  const packages = readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => `packages/${name}/package.json`);
  const hash = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...packages]) {
    const path = join(root, file);
    hash.update(file).update(existsSync(path) ? readFileSync(path) : 'absent');
  }
  return hash.digest('hex');
}
