// Builds the runner for both architectures: `node packages/runner/scripts/build.mjs`. Needs Go 1.19 or newer; without Go the binaries
// that are there already are kept.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const architectures = ['amd64', 'arm64'];
const binaryOf = (architecture) => join(dist, `linux-${architecture}`, 'nanoclaw-runner');

/** Go 1.19 or newer, or `undefined`. */
function findGo() {
  const versioned = existsSync('/usr/lib')
    ? readdirSync('/usr/lib')
        .filter((name) => name.startsWith('go-'))
        .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
        .map((name) => join('/usr/lib', name, 'bin'))
    : [];
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin', ...versioned]) {
    const path = join(folder, 'go');
    try {
      accessSync(path, constants.X_OK);
      const version = execFileSync(path, ['env', 'GOVERSION'], { encoding: 'utf8', env: goEnvironment() }).trim();
      const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
      if (major === undefined || Number(major) > 1 || Number(minor) >= 19) return { path, version };
      console.error(`runner: ${path} is ${version}, 1.19 or newer is needed`);
    } catch {
      // not here
    }
  }
  return undefined;
}

function goEnvironment(architecture = 'amd64') {
  const kept = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(GOFLAGS|GOOS|GOARCH|GOAMD64|GOARM64|GOEXPERIMENT|GOWORK)$/.test(name),
    ),
  );
  return {
    ...kept,
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOFLAGS: '',
    CGO_ENABLED: '0',
    GOOS: 'linux',
    GOARCH: architecture,
  };
}

/** Everything that the binaries are made of. */
function sources(folder = root) {
  const files = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!['dist', 'node_modules', 'src', 'scripts', 'testdata', 'test'].includes(entry.name))
        files.push(...sources(path));
    } else if (/(?<!_test)\.(go|s)$|^go\.(mod|sum)$/.test(entry.name)) {
      files.push(path);
    }
  }
  return files.sort();
}

function stampOf(go, version) {
  const hash = createHash('sha256');
  for (const text of [go.version, version, readFileSync(fileURLToPath(import.meta.url))])
    hash.update(text).update('\0');
  for (const file of sources()) hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function build(go, version, architecture) {
  const target = binaryOf(architecture);
  const fresh = `${target}.${process.pid}`;
  mkdirSync(join(dist, `linux-${architecture}`), { recursive: true });
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags', `-s -w -buildid= -X main.version=${version}`];
  try {
    execFileSync(go.path, ['build', ...flags, '-o', fresh, '.'], {
      cwd: root,
      env: goEnvironment(architecture),
      stdio: 'inherit',
    });
    chmodSync(fresh, 0o755);
    renameSync(fresh, target); // a running container keeps the file that it has
  } finally {
    rmSync(fresh, { force: true });
  }
}

const go = findGo();
if (go === undefined) {
  const missing = architectures.map(binaryOf).filter((path) => !existsSync(path));
  if (missing.length > 0) {
    console.error(
      `runner: no Go found (looked in PATH, /usr/local/go/bin and /usr/lib/go-*/bin), and not built before: ${missing.join(', ')}.\n` +
        'Install Go 1.19 or newer (https://go.dev/dl/, or `apt-get install golang-go`) and run this again.',
    );
    process.exit(1);
  }
  console.log('runner: no Go found, the binaries that were built before are kept');
} else {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const stamp = stampOf(go, version);
  const stampFile = join(dist, 'runner.stamp');
  const upToDate =
    architectures.every((architecture) => existsSync(binaryOf(architecture))) &&
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8') === stamp;
  if (upToDate) {
    console.log(`runner: up to date (${version}, ${go.version})`);
  } else {
    rmSync(stampFile, { force: true });
    for (const architecture of architectures) build(go, version, architecture);
    writeFileSync(stampFile, stamp);
    console.log(`runner: built ${version} with ${go.version} for ${architectures.join(' and ')}`);
  }
}
