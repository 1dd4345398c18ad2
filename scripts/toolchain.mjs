// A new enough Node and the pinned pnpm, fetched through the machine's own npm client (its registry and
// proxy settings apply) into a cache outside the clone. Nothing half fetched is ever found there: a
// version is made in a temporary directory, tried, and only then renamed to its place.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { onInterrupt } from './interrupt.mjs';
import { note, PlainError } from './lines.mjs';
import { mustRun, runCommand } from './run-command.mjs';

const NODE_MINIMUM = [22, 12];
const NODE_VERSION = '24.21.0';
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

const toolchainDirectory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nanoclaw', 'toolchain');

/** The path of a Node that is new enough: the running one, the cached one, or one fetched now. */
export async function ensureNode() {
  if (isNewEnough(process.versions.node)) {
    note(`found ${process.versions.node}, which runs this`);
    return process.execPath;
  }
  const platformPackage = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const directory = join(toolchainDirectory, `${platformPackage}-${NODE_VERSION}`);
  const executableIn = (root) => join(root, 'node_modules', platformPackage, 'bin', 'node');
  if (await printsVersion(executableIn(directory), [], `v${NODE_VERSION}`)) {
    note(`found ${NODE_VERSION} in the cache (the machine's own is ${process.versions.node})`);
    return executableIn(directory);
  }
  note(`fetching ${NODE_VERSION} with npm, about 50 MB (the machine's own is ${process.versions.node})`);
  await fetchPackage(`${platformPackage}@${NODE_VERSION}`, directory, (root) =>
    printsVersion(executableIn(root), [], `v${NODE_VERSION}`),
  );
  return executableIn(directory);
}

/** The path of pnpm's entry file in the version that `packageManager` pins, to be run with `node`. */
export async function ensurePnpm(node, packageManager) {
  const version = /^pnpm@(\d+\.\d+\.\d+)/.exec(packageManager ?? '')?.[1];
  if (!version)
    throw new PlainError(
      `package.json: expected packageManager "pnpm@X.Y.Z", found ${JSON.stringify(packageManager)}.`,
    );
  const directory = join(toolchainDirectory, `pnpm-${version}-${process.platform}-${process.arch}`);
  const entryIn = (root) => join(root, 'node_modules', 'pnpm', 'bin', 'pnpm.mjs');
  const works = (root) => printsVersion(node, [entryIn(root), '--version'], version);
  if (await works(directory)) {
    note(`found ${version} in the cache`);
    return entryIn(directory);
  }
  note(`fetching ${version} with npm, about 15 MB`);
  await fetchPackage(`pnpm@${version}`, directory, works);
  return entryIn(directory);
}

/** The environment in which `node` and `pnpm` are ours, whatever the machine's PATH says. */
export function toolchainEnvironment(node, pnpm, base = process.env) {
  const shims = join(dirname(dirname(dirname(pnpm))), '.bin');
  return {
    ...withoutNpmVariables(base),
    PATH: [dirname(node), shims, base.PATH ?? ''].join(':'),
    NANOCLAW_NODE: node,
    NANOCLAW_PNPM: pnpm,
    // Several tools colour their output wherever CI is set; a file or a pipe gets plain text from ours.
    ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
  };
}

/** Leaves the chosen Node's path where `npx nanoclaw` looks for it. */
export function recordNode(repositoryRoot, node) {
  const directory = join(repositoryRoot, 'node_modules', '.cache', 'nanoclaw');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'node-path'), `${node}\n`);
}

async function fetchPackage(specifier, directory, works) {
  mkdirSync(toolchainDirectory, { recursive: true });
  removeAbandoned();
  const temporary = mkdtempSync(join(toolchainDirectory, '.fetching-'));
  const remove = () => rmSync(temporary, { recursive: true, force: true });
  const release = onInterrupt(remove);
  try {
    // Install scripts are not needed by these two packages, and none is run anywhere in this project.
    const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', temporary];
    const [command, ...prefix] = npmCommand();
    await mustRun(`Fetching ${specifier}`, command, [...prefix, 'install', ...flags, specifier], {
      cwd: temporary,
      env: withoutNpmVariables(process.env),
      cure: `Next: check that 'npm view ${specifier} version' answers on this machine, then run the same command again.`,
    });
    if (!(await works(temporary))) {
      throw new PlainError(
        `${specifier} was fetched but does not run on this machine (${process.platform} ${process.arch}; a C library other than glibc?).\n` +
          `Next: install Node ${NODE_MINIMUM.join('.')} or newer yourself, then run the same command with it.`,
      );
    }
    rmSync(directory, { recursive: true, force: true }); // there is one that does not work
    renameSync(temporary, directory);
  } catch (error) {
    // Another clone fetched the same at the same time and was first: theirs is as good.
    if (['ENOTEMPTY', 'EEXIST'].includes(error.code) && (await works(directory))) return;
    throw error;
  } finally {
    remove();
    release();
  }
}

/** What a killed run left half fetched; younger ones may belong to another clone that is at it now. */
function removeAbandoned() {
  for (const name of readdirSync(toolchainDirectory).filter((entry) => entry.startsWith('.fetching-'))) {
    const path = join(toolchainDirectory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > ABANDONED_AFTER_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** The npm that started us, else the one on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running?.endsWith('npm-cli.js') && existsSync(running) ? [process.execPath, running] : ['npm'];
}

/** npm tells its scripts about their package; to another npm or pnpm that would be wrong news. */
function withoutNpmVariables(environment) {
  const unwanted =
    /^npm_(package_|lifecycle_|command$|execpath$|node_execpath$|config_(prefix|local_prefix|user_agent|loglevel|npm_version)$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !unwanted.test(name)));
}

async function printsVersion(command, args, expected) {
  if (!existsSync(command)) return false;
  if (args.length > 0 && !existsSync(args[0])) return false;
  try {
    const { code, output } = await runCommand(command, args.length > 0 ? args : ['--version']);
    return code === 0 && output.trim().split('\n').at(-1) === expected;
  } catch {
    return false;
  }
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor >= NODE_MINIMUM[1]);
}
