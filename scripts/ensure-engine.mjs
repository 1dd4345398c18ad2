// An engine for `npm start` and `npm test`: one that runs already is used as it is; where we are root on
// Debian or Ubuntu one is installed and started beside it; elsewhere the reader learns what is missing.
import { join } from 'node:path';
import { whyNoApt } from '../test/host/apt.mjs';
import { readEnvironment } from '../test/host/state.mjs';
import { findEngine } from './find-engine.mjs';
import { note, PlainError } from './lines.mjs';
import { runCommand } from './run-command.mjs';

/** For `npm start`: the variables that reach the engine. */
export async function ensureEngineForUse(root, environment) {
  const { found, tried } = await findEngine({ environment });
  if (found) return useFound(found);
  return startOwn(root, environment, tried);
}

/**
 * For `npm test`: our own engine wherever it can be had, since the tests stop and kill engines' parts and
 * need images of their own; somebody else's only when DOCKER_HOST names it or there is no other way.
 */
export async function ensureEngineForTests(root, environment) {
  const named = environment.DOCKER_HOST && environment.DOCKER_HOST !== readEnvironment().DOCKER_HOST;
  if (!named && !whyNoApt()) return startOwn(root, environment, []);
  const { found, tried } = await findEngine({ environment });
  if (found) return useFound(found);
  throw missing(tried);
}

function useFound({ host, source, version }) {
  note(`found Docker-compatible engine ${version.Version} at ${source}; it is used as it is`);
  return { DOCKER_HOST: host };
}

async function startOwn(root, environment, tried) {
  if (environment.DOCKER_HOST && tried.length > 0) {
    // Whoever names an engine wants that one, not another that we think of.
    throw new PlainError(
      `No answer from the engine that DOCKER_HOST names.\n    ${tried.join('\n    ')}\nNext: start it, or unset DOCKER_HOST.`,
    );
  }
  if (whyNoApt()) throw missing(tried);
  note('our own, installed and started by test/host/up where it is not there yet');
  const { code } = await runCommand(join(root, 'test', 'host', 'up'), [], {
    cwd: root,
    env: environment,
    stdio: 'inherit',
  });
  if (code !== 0) throw new PlainError('test/host/up could not bring up an engine; what it said above tells why.');
  return readEnvironment();
}

function missing(tried) {
  return new PlainError(
    [
      'NanoClaw needs a container engine, and none answered:',
      ...tried.map((line) => `    ${line}`),
      `None is installed for you: ${whyNoApt()}.`,
      'Next, one of these, then run the same command again:',
      '    Debian or Ubuntu:  sudo apt-get install docker.io && sudo usermod -aG docker $USER, and log in again',
      '    Fedora:            sudo dnf install moby-engine && sudo systemctl enable --now docker',
      '    macOS, Windows:    start Docker Desktop, OrbStack, Colima or Rancher Desktop',
      '    elsewhere:         DOCKER_HOST=unix:///path/to/docker.sock or tcp://host:port',
    ].join('\n'),
  );
}
