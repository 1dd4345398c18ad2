// How the root filesystem of a test image is made: busybox from the static binary of the machine,
// Debian with mmdebstrap from the package sources that the machine is configured with.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onInterrupt } from '../../scripts/interrupt.mjs';
import { mustRun } from '../../scripts/run-command.mjs';
import { readDistribution } from './apt.mjs';

/** What has to be installed before archives can be built. */
export const imagePackages = {
  required: ['mmdebstrap', 'busybox-static', ...(readDistribution().id === 'debian' ? [] : ['debian-archive-keyring'])],
};

/** One static binary, a symlink per applet, and the directories that programs expect. */
export async function buildBusyboxArchive(_recipe, target) {
  const root = mkdtempSync(join(tmpdir(), 'nanoclaw-busybox-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  const release = onInterrupt(remove);
  try {
    chmodSync(root, 0o755);
    for (const directory of ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'var/tmp']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    for (const directory of ['tmp', 'var/tmp']) chmodSync(join(root, directory), 0o1777);
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    const { output } = await mustRun('Listing busybox applets', '/bin/busybox', ['--list-full']);
    for (const applet of output.split('\n').filter((line) => line && line !== 'bin/busybox')) {
      mkdirSync(dirname(join(root, applet)), { recursive: true });
      if (!existsSync(join(root, applet))) symlinkSync('/bin/busybox', join(root, applet));
    }
    writeFileSync(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    );
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
    await mustRun('Packing busybox', 'tar', [
      '--numeric-owner',
      '--owner=0',
      '--group=0',
      '-C',
      root,
      '-cf',
      target,
      '.',
    ]);
  } finally {
    remove();
    release();
  }
}

/** A minimal Debian with the recipe's packages. */
export async function buildDebianArchive(recipe, target) {
  const sources = machineSources(recipe.suite);
  const options = [
    '--variant=minbase',
    '--format=tar',
    `--include=${recipe.packages.join(',')}`,
    ...recipe.excludedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
  ];
  const args = [...options, recipe.suite, target, ...(sources ? ['-'] : [])];
  await mustRun(`Building ${recipe.reference}`, 'mmdebstrap', args, {
    input: sources ?? '',
    cure: "Next: check that 'apt-get update' works on this machine, then run the same command again.",
  });
}

/**
 * The machine's own sources of `suite` as one-line entries: a mirror or proxy that its owner configured
 * is used for the image too. Undefined where it has none (another release): mmdebstrap's default then.
 */
function machineSources(suite) {
  const directory = '/etc/apt/sources.list.d';
  const listed = existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
  const files = ['/etc/apt/sources.list', ...listed].filter((path) => existsSync(path));
  const entries = files.flatMap((path) =>
    path.endsWith('.sources') ? fromStanzas(readFileSync(path, 'utf8')) : fromLines(readFileSync(path, 'utf8')),
  );
  const wanted = entries.filter((entry) => [suite, `${suite}-updates`, `${suite}-security`].includes(entry.suite));
  if (!wanted.some((entry) => entry.suite === suite)) return undefined;
  return wanted.map((entry) => `deb ${entry.options}${entry.uri} ${entry.suite} ${entry.components}\n`).join('');
}

function fromLines(text) {
  return [...text.matchAll(/^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$/gm)].map((match) => ({
    options: match[1] ?? '',
    uri: match[2],
    suite: match[3],
    components: match[4].trim(),
  }));
}

function fromStanzas(text) {
  const stanzas = text.replace(/^#.*\n/gm, '').split(/\n\s*\n/);
  return stanzas.flatMap((stanza) => {
    const field = (name) => new RegExp(`^${name}:[ \t]*(.+)$`, 'mi').exec(stanza)?.[1].trim();
    const words = (name) => field(name)?.split(/\s+/) ?? [];
    if (!words('Types').includes('deb') || field('Enabled') === 'no') return [];
    const keyring = field('Signed-By');
    const options = keyring?.startsWith('/') ? `[signed-by=${keyring}] ` : '';
    return words('URIs').flatMap((uri) =>
      words('Suites').map((suite) => ({ options, uri, suite, components: words('Components').join(' ') })),
    );
  });
}
