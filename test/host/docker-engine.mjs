// One Docker engine in one directory: a containerd and a dockerd of its own, which share nothing with
// any other engine of the machine. Used for the engine that `up` leaves running and for throw-away ones.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineVersion } from '../../scripts/engine-http.mjs';
import { PlainError } from '../../scripts/lines.mjs';
import { runningDaemon, startDaemon, stopDaemon, waitUntilGone, waitUntilReady } from './daemon.mjs';
import { descendantsOf, findByArgument, signalProcess } from './process-identity.mjs';

/** The files of the engine that lives in `directory`. */
export function enginePaths(directory) {
  return {
    socket: join(directory, 'docker.sock'),
    host: `unix://${join(directory, 'docker.sock')}`,
    containerdSocket: join(directory, 'containerd.sock'),
    dockerdLog: join(directory, 'dockerd.log'),
    dockerdRecord: join(directory, 'dockerd.json'),
    dockerdConfig: join(directory, 'daemon.json'),
    containerdLog: join(directory, 'containerd.log'),
    containerdRecord: join(directory, 'containerd.json'),
    containerdConfig: join(directory, 'containerd.toml'),
  };
}

/** Runtimes beside runc that are installed: gVisor and crun. */
export function extraRuntimes() {
  const runtimes = {};
  if (existsSync('/usr/bin/runsc')) {
    // The ptrace platform works everywhere; network none since sandboxes have no network at all.
    runtimes.runsc = { path: '/usr/bin/runsc', runtimeArgs: ['--network=none', '--platform=ptrace'] };
  }
  if (existsSync('/usr/bin/crun')) runtimes.crun = { path: '/usr/bin/crun' };
  return runtimes;
}

/** True when an engine answers at `host`. */
export async function answers(host) {
  try {
    await engineVersion(host, { timeoutMs: 2_000 });
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts what of the engine does not run yet and waits until it answers. `hide` lists directories that
 * the engine must not see: it then gets a mount namespace of its own with an empty tmpfs over each.
 */
export async function startEngine(directory, { config = {}, hide } = {}) {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const paths = enginePaths(directory);
  if (paths.containerdSocket.length > 100)
    throw new PlainError(`'${directory}' is too long for a unix socket path (108 bytes).`);
  const containerd = await startContainerd(directory, paths, hide);
  if (runningDaemon(paths.dockerdRecord) && (await answers(paths.host))) return paths;
  await stopDaemon(paths.dockerdRecord);
  writeFileSync(paths.dockerdConfig, JSON.stringify(dockerdConfig(directory, paths, config), null, 2));
  // A killed dockerd leaves its pid file; when the pid is in use again, dockerd would refuse to start.
  rmSync(join(directory, 'dockerd.pid'), { force: true });
  const dockerd = ['dockerd', '--config-file', paths.dockerdConfig];
  const record = startDaemon({
    ...insideNamespaceOf(hide && containerd.pid, dockerd),
    marker: directory,
    logFile: paths.dockerdLog,
    recordFile: paths.dockerdRecord,
    environment: daemonEnvironment(),
  });
  await waitUntilReady({ name: 'dockerd', record, logFile: paths.dockerdLog, isReady: () => answers(paths.host) });
  return paths;
}

/** Ends the engine, with everything that ran in it, and unmounts what it left mounted. */
export async function stopEngine(directory) {
  const paths = enginePaths(directory);
  // First, or dockerd would give each container ten seconds to end by itself.
  await killContainers(paths);
  await stopDaemon(paths.dockerdRecord);
  await killContainers(paths);
  await stopDaemon(paths.containerdRecord);
  unmountBelow(directory);
}

/** Kills what runs in the engine's containers, shims last (a shim names our own socket as an argument). */
function killContainers(paths) {
  const shims = findByArgument((argument) => argument === paths.containerdSocket).filter(
    (shim) => shim.pid !== runningDaemon(paths.containerdRecord)?.pid,
  );
  const processes = shims.flatMap((shim) => descendantsOf(shim.pid));
  for (const record of [...processes, ...shims]) signalProcess(record, 'SIGKILL');
  return Promise.all([...processes, ...shims].map((record) => waitUntilGone(record, 5_000)));
}

async function startContainerd(directory, paths, hide) {
  const running = runningDaemon(paths.containerdRecord);
  if (running) return running;
  const quoted = (value) => JSON.stringify(value);
  writeFileSync(
    paths.containerdConfig,
    [
      'version = 2',
      `root = ${quoted(join(directory, 'containerd', 'root'))}`,
      `state = ${quoted(join(directory, 'containerd', 'state'))}`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      '[grpc]',
      `  address = ${quoted(paths.containerdSocket)}`,
      '',
    ].join('\n'),
  );
  rmSync(paths.containerdSocket, { force: true });
  const containerd = ['containerd', '--config', paths.containerdConfig];
  const record = startDaemon({
    ...(hide ? inNewNamespace(directory, hide, containerd) : { command: containerd[0], args: containerd.slice(1) }),
    marker: directory,
    logFile: paths.containerdLog,
    recordFile: paths.containerdRecord,
    environment: daemonEnvironment(),
  });
  const isReady = () => existsSync(paths.containerdSocket);
  await waitUntilReady({ name: 'containerd', record, logFile: paths.containerdLog, isReady });
  return record;
}

function dockerdConfig(directory, paths, config) {
  return {
    hosts: [paths.host],
    containerd: paths.containerdSocket,
    'data-root': join(directory, 'data'),
    'exec-root': join(directory, 'exec'),
    pidfile: join(directory, 'dockerd.pid'),
    // Sandboxes have no network, so the machine's own network stays as it is.
    bridge: 'none',
    iptables: false,
    'ip-forward': false,
    'ip-masq': false,
    'shutdown-timeout': 5,
    runtimes: extraRuntimes(),
    ...config,
  };
}

/**
 * A private mount namespace in which `hide` is covered. The engine's own directory is kept aside while
 * the covers are laid and put back, so it may itself lie below a hidden directory.
 */
function inNewNamespace(directory, hide, commandLine) {
  const script = [
    'set -e',
    'directory=$1; shift; hidden=$1; shift; keep=$(mktemp -d /run/nanoclaw-keep.XXXXXX)',
    'mount --bind "$directory" "$keep"',
    'for path in $hidden; do if [ -d "$path" ]; then mount -t tmpfs -o size=16m,mode=755 tmpfs "$path"; fi; done',
    'mkdir -p "$directory"; mount --move "$keep" "$directory"; rmdir "$keep"',
    'exec "$@"',
  ].join('\n');
  if (hide.some((path) => /\s/.test(path))) throw new PlainError(`Cannot hide a path with blanks: ${hide.join(', ')}`);
  const args = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    directory,
    hide.join(' '),
    ...commandLine,
  ];
  return { command: 'unshare', args };
}

function insideNamespaceOf(pid, [command, ...args]) {
  if (!pid) return { command, args };
  return { command: 'nsenter', args: ['--target', String(pid), '--mount', command, ...args] };
}

/** dockerd and containerd listen to some variables; ours get none of the caller's. */
function daemonEnvironment() {
  const { DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, ...rest } = process.env;
  return { ...rest, PATH: `${rest.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin` };
}

function unmountBelow(directory) {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) spawnSync('umount', ['--lazy', point]);
}
