// Docker for the tests: the engine that `up` leaves running, and throw-away engines that a test may
// kill, stop and restart as it likes.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineVersion } from '../../scripts/engine-http.mjs';
import { note } from '../../scripts/lines.mjs';
import { runCommand } from '../../scripts/run-command.mjs';
import { completeCgroupV1 } from './cgroups.mjs';
import { runningDaemon } from './daemon.mjs';
import { answers, enginePaths, extraRuntimes, startEngine, stopEngine } from './docker-engine.mjs';
import { identify, isRunning, signalProcess } from './process-identity.mjs';
import { cacheDirectory, fingerprint, readJson, repositoryRoot, stateDirectory, writeAtomically } from './state.mjs';

export { loadTestImages } from './images.mjs';

const THROW_AWAY_DIRECTORY = join(stateDirectory, 't');

/** What `up` and `down` need to know of an engine; every module in this folder that adds one exports this. */
export const dockerEngine = {
  name: 'docker',
  packages: {
    required: ['docker.io', 'containerd', 'runc', 'iptables'],
    optional: ['crun', 'runsc'],
  },

  /** Keeps the packages' own services off where we brought them: they would set up a bridge at the next boot. */
  async afterInstall(installed) {
    if (!installed.includes('docker.io') || !existsSync('/run/systemd/system')) return;
    const services = ['docker.service', 'docker.socket', 'containerd.service'];
    await runCommand('systemctl', ['disable', '--quiet', ...services]);
    note(`Debian's docker.service stays off; to use Docker yourself: systemctl enable --now docker`);
  },

  /** Starts the engine or finds it running; answers its host and the variables for `.run/env`. */
  async up() {
    await removeAbandonedEngines();
    await completeCgroupV1();
    const directory = sharedDirectory();
    const paths = enginePaths(directory);
    const found = runningDaemon(paths.dockerdRecord) && (await answers(paths.host));
    await startEngine(directory);
    const version = await engineVersion(paths.host);
    const runtimes = ['runc', ...Object.keys(extraRuntimes())];
    note(
      `Docker ${version.Version} (API ${version.ApiVersion}, ${runtimes.join(', ')}) ${found ? 'runs already' : 'started'}: ${paths.host}`,
    );
    return {
      host: paths.host,
      environment: {
        DOCKER_HOST: paths.host,
        NANOCLAW_TEST_DOCKERD_PID: runningDaemon(paths.dockerdRecord)?.pid,
        NANOCLAW_TEST_DOCKERD_LOG: paths.dockerdLog,
        NANOCLAW_TEST_DOCKER_RUNTIMES: runtimes.join(','),
      },
    };
  },

  /** Ends what `up` started; answers whether something ran. */
  async down() {
    await removeAbandonedEngines();
    const directory = sharedDirectory();
    const paths = enginePaths(directory);
    const ran = Boolean(runningDaemon(paths.dockerdRecord) ?? runningDaemon(paths.containerdRecord));
    await stopEngine(directory);
    return ran;
  },
};

/**
 * Starts a Docker engine for one test: own containerd, data and sockets. With `ownMountNamespace` it
 * sees neither temporary directories, home, cache nor this repository (`hide` adds more), as a remote
 * daemon would; its socket stays reachable. End it with `stop()`; one whose owner died is removed by the
 * next `up`.
 *
 * @param {{ dir?: string, config?: Record<string, unknown>, ownMountNamespace?: boolean, hide?: string[] }} [options]
 */
export async function startDockerd({ dir, config = {}, ownMountNamespace = false, hide = [] } = {}) {
  const directory = dir ?? newThrowAwayDirectory();
  const hidden = [
    tmpdir(),
    '/tmp',
    '/var/tmp',
    homedir(),
    cacheDirectory,
    repositoryRoot,
    process.env.XDG_RUNTIME_DIR,
    ...hide,
  ];
  const options = { config, hide: ownMountNamespace ? outermost(hidden) : undefined };
  const start = async () => {
    try {
      return await startEngine(directory, options);
    } catch (error) {
      await stopEngine(directory);
      throw error;
    }
  };
  const paths = await start();
  return {
    host: paths.host,
    dir: directory,
    get pid() {
      return runningDaemon(paths.dockerdRecord)?.pid;
    },
    get containerdPid() {
      return runningDaemon(paths.containerdRecord)?.pid;
    },
    /** Signals dockerd alone, as an operator's `kill` would: containerd, shims and containers go on. */
    kill(signal = 'SIGKILL') {
      return signalProcess(runningDaemon(paths.dockerdRecord), signal);
    },
    /** Signals containerd. */
    killContainerd(signal = 'SIGKILL') {
      return signalProcess(runningDaemon(paths.containerdRecord), signal);
    },
    /** Starts what does not run (any more) and waits until the engine answers. */
    async restart() {
      await start();
    },
    /** Ends everything and removes the directory. */
    async stop() {
      await stopEngine(directory);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function sharedDirectory() {
  // Checkouts that want a different engine get one of their own instead of fighting over one.
  return join(stateDirectory, `docker-${fingerprint({ generation: 1, runtimes: extraRuntimes() }, 8)}`);
}

function newThrowAwayDirectory() {
  mkdirSync(THROW_AWAY_DIRECTORY, { recursive: true });
  const directory = mkdtempSync(join(THROW_AWAY_DIRECTORY, 'd-'));
  writeAtomically(join(directory, 'owner.json'), JSON.stringify(identify(process.pid)));
  return directory;
}

/** Throw-away engines whose test process is gone (it was killed, or forgot to stop them). */
async function removeAbandonedEngines() {
  mkdirSync(THROW_AWAY_DIRECTORY, { recursive: true });
  for (const name of readdirSync(THROW_AWAY_DIRECTORY)) {
    const directory = join(THROW_AWAY_DIRECTORY, name);
    const owner = readJson(join(directory, 'owner.json'));
    // Without an owner it may be one that is being made right now.
    const isNew = owner === undefined && Date.now() - statSync(directory).mtimeMs < 60_000;
    if (isNew || isRunning(owner)) continue;
    await stopEngine(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Directories without those that lie below another one of the list. */
function outermost(paths) {
  const unique = [...new Set(paths.filter(Boolean))];
  return unique.filter((path) => !unique.some((other) => other !== path && path.startsWith(`${other}/`)));
}
