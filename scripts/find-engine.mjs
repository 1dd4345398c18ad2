// Which container engine answers on this machine, and why each other place has none.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { engineVersion, toRequestOptions } from './engine-http.mjs';

/**
 * Looks where Docker's own client does: DOCKER_HOST alone if it is set, else the current context, the
 * system's socket and the user's. Answers `{ found: { host, source, version } | undefined, tried }`, each
 * of `tried` with a sentence that says what is wrong and what to do.
 */
export async function findEngine({ environment = process.env, home = homedir() } = {}) {
  const tried = [];
  for (const { host, source } of candidates(environment, home)) {
    try {
      return { found: { host, source, version: await engineVersion(host) }, tried };
    } catch (error) {
      tried.push(`${source}: ${explain(host, error)}`);
    }
  }
  return { found: undefined, tried };
}

function candidates(environment, home) {
  if (environment.DOCKER_HOST)
    return [{ host: environment.DOCKER_HOST, source: `DOCKER_HOST (${environment.DOCKER_HOST})` }];
  const list = [];
  const context = currentContext(environment, home);
  if (context) list.push({ host: context.host, source: `docker context '${context.name}' (${context.host})` });
  list.push({ host: 'unix:///var/run/docker.sock', source: '/var/run/docker.sock' });
  if (environment.XDG_RUNTIME_DIR) {
    const socket = join(environment.XDG_RUNTIME_DIR, 'docker.sock');
    list.push({ host: `unix://${socket}`, source: socket });
  }
  return list.filter(({ host }, index) => list.findIndex((other) => other.host === host) === index);
}

/** The context that `docker context use` chose; its file is named by the SHA-256 of its name. */
function currentContext(environment, home) {
  const directory = environment.DOCKER_CONFIG || join(home, '.docker');
  const name = environment.DOCKER_CONTEXT || readJson(join(directory, 'config.json'))?.currentContext;
  if (!name || name === 'default') return undefined;
  const hash = createHash('sha256').update(name).digest('hex');
  const host = readJson(join(directory, 'contexts', 'meta', hash, 'meta.json'))?.Endpoints?.docker?.Host;
  return host && { name, host };
}

function explain(host, error) {
  const target = toRequestOptions(host);
  if (!target) return 'is neither unix:// nor tcp://, which is all that is tried here.';
  switch (error.code) {
    case 'ENOENT':
      return 'no such socket; no engine was started there.';
    case 'EACCES':
    case 'EPERM':
      return `the socket is there, but ${userName()} may not use it. Join its group (usermod -aG docker ${userName()}, then log in again) or run as root.`;
    case 'ECONNREFUSED':
      return target.socketPath
        ? 'the socket is there, but nobody answers: the engine has stopped. Start it (systemctl start docker).'
        : 'nobody listens there. Start the engine or correct the address.';
    case 'ETIMEDOUT':
      return `connected, but ${error.message}: the engine hangs. Restart it.`;
    default:
      return error.message;
  }
}

function userName() {
  return process.env.USER || `uid ${process.getuid?.()}`;
}

function readJson(path) {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
