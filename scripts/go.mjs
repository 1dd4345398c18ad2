// The Go that builds the runner: the machine's own, else Debian's package, else none where prebuilt
// binaries lie in the runner's package.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, whyNoApt } from '../test/host/apt.mjs';
import { note, PlainError } from './lines.mjs';
import { runCommand } from './run-command.mjs';

const GO_MINIMUM = [1, 19];

/** The directory of a usable `go`, or undefined where the prebuilt runner has to do. */
export async function ensureGo(root) {
  const found = await findGo();
  if (found) {
    note(`found ${found.version} in ${found.directory}`);
    return found.directory;
  }
  const why = whyNoApt();
  if (!why) {
    note("none found, installing Debian's golang-go (about 250 MB on disk)");
    await ensurePackages({ required: ['golang-go'] });
    const installed = await findGo();
    if (installed) return installed.directory;
  }
  if (hasPrebuiltRunner(root)) {
    note('none found; the prebuilt runner in packages/runner/dist is used');
    return undefined;
  }
  const minimum = GO_MINIMUM.join('.');
  throw new PlainError(
    `Go ${minimum} or newer is needed to build the runner, and none was found on PATH, in /usr/local/go or in /usr/lib/go-*.\n` +
      `${why ? `It is not installed for you: ${why}.` : `Debian's golang-go is older than ${minimum} here.`}\n` +
      'Next: install Go, then run the same command again.',
  );
}

async function findGo() {
  const onPath = (process.env.PATH ?? '').split(':').filter(Boolean);
  const versioned = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => /^go-\d/.test(name)) : [];
  const places = [
    ...onPath,
    '/usr/local/go/bin',
    ...versioned
      .sort()
      .reverse()
      .map((name) => `/usr/lib/${name}/bin`),
  ];
  for (const directory of places) {
    if (!existsSync(join(directory, 'go'))) continue;
    // GOTOOLCHAIN=local: a newer Go must not fetch yet another one.
    const { output } = await runCommand(join(directory, 'go'), ['version'], {
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    });
    const match = /go(\d+)\.(\d+)\S*/.exec(output.replace('go version ', ''));
    if (match && isNewEnough(Number(match[1]), Number(match[2]))) return { directory, version: match[0] };
  }
  return undefined;
}

function isNewEnough(major, minor) {
  return major > GO_MINIMUM[0] || (major === GO_MINIMUM[0] && minor >= GO_MINIMUM[1]);
}

function hasPrebuiltRunner(root) {
  const directory = join(root, 'packages', 'runner', 'dist');
  if (!existsSync(directory)) return false;
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return readdirSync(directory, { recursive: true }).some(
    (name) => /linux.*(amd64|arm64)/.test(String(name)) && String(name).includes(architecture),
  );
}
