import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createError } from '@nanoclaw/core';

export interface TlsMaterial {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** False only where a Docker context says `SkipTLSVerify`. */
  readonly verify: boolean;
}

export type DockerTransport =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: TlsMaterial | undefined }
  | {
      readonly kind: 'ssh';
      readonly host: string;
      readonly port: number | undefined;
      readonly user: string | undefined;
      readonly socketPath: string | undefined;
    };

export interface DockerEndpoint {
  /** What named this engine, for messages: `DOCKER_HOST`, `the Docker context "x"`, `the default socket`. */
  readonly source: string;
  /** As a user would write it: `unix:///var/run/docker.sock`. */
  readonly address: string;
  readonly transport: DockerTransport;
}

/** The world that an endpoint is looked up in. */
export interface DockerConnectWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly homeDir: string;
}

export interface DockerConnectOptions extends Partial<DockerConnectWorld> {
  /** `unix:///…`, `tcp://…` or `ssh://…`; goes before everything else. */
  readonly host?: string | undefined;
  /** Name of a Docker context. */
  readonly context?: string | undefined;
}

/**
 * Finds the engine as the `docker` command does: an explicit host or context, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current
 * context of `~/.docker/config.json`, then the sockets that Docker listens on by default.
 */
export async function resolveDockerEndpoint(options: DockerConnectOptions = {}): Promise<DockerEndpoint> {
  const { env = process.env, platform = process.platform, homeDir = homedir() } = options;
  const world: DockerConnectWorld = { env, platform, homeDir };

  if (options.host !== undefined) return fromAddress(options.host, 'the host option', world);
  if (options.context !== undefined) return fromContext(options.context, 'the context option', world);
  if (env.DOCKER_HOST) return fromAddress(env.DOCKER_HOST, 'DOCKER_HOST', world);
  if (env.DOCKER_CONTEXT) return fromContext(env.DOCKER_CONTEXT, 'DOCKER_CONTEXT', world);
  const current = await currentContext(world);
  if (current !== undefined)
    return fromContext(current, `currentContext in ${join(configDir(world), 'config.json')}`, world);
  return fromDefault(world);
}

/** Docker's configuration directory, which also holds contexts and registry credentials. */
export function configDir({ env, homeDir }: Pick<DockerConnectWorld, 'env' | 'homeDir'>): string {
  return env.DOCKER_CONFIG || join(homeDir, '.docker');
}

async function fromAddress(address: string, source: string, world: DockerConnectWorld): Promise<DockerEndpoint> {
  const wantsTls = Boolean(world.env.DOCKER_TLS_VERIFY) || Boolean(world.env.DOCKER_TLS);
  const certificates = world.env.DOCKER_CERT_PATH || configDir(world);
  const tls = async (): Promise<TlsMaterial | undefined> =>
    wantsTls ? readTls(certificates, Boolean(world.env.DOCKER_TLS_VERIFY), source, 'required') : undefined;
  return { source, address, transport: await parseTransport(address, source, tls, world) };
}

async function fromDefault(world: DockerConnectWorld): Promise<DockerEndpoint> {
  if (world.platform === 'win32') {
    throw createError(
      'NOT_SUPPORTED',
      'NanoClaw does not speak to Docker over a named pipe. Set DOCKER_HOST to a tcp:// or ssh:// address.',
    );
  }
  const runtimeDir = world.env.XDG_RUNTIME_DIR;
  const candidates = [
    '/var/run/docker.sock',
    ...(runtimeDir ? [join(runtimeDir, 'docker.sock')] : []),
    join(world.homeDir, '.docker', 'run', 'docker.sock'),
  ];
  const usable = await firstWhere(candidates, (path) => canAccess(path, constants.R_OK | constants.W_OK));
  const path =
    usable ??
    (await firstWhere(candidates, (candidate) => canAccess(candidate, constants.F_OK))) ??
    '/var/run/docker.sock';
  return { source: 'the default socket', address: `unix://${path}`, transport: { kind: 'unix', path } };
}

async function fromContext(name: string, source: string, world: DockerConnectWorld): Promise<DockerEndpoint> {
  if (name === 'default') {
    const host = world.env.DOCKER_HOST;
    return host ? fromAddress(host, 'DOCKER_HOST', world) : fromDefault(world);
  }
  const id = createHash('sha256').update(name).digest('hex');
  const file = join(configDir(world), 'contexts', 'meta', id, 'meta.json');
  const meta = await readJson(file);
  if (meta === undefined) {
    throw createError(
      'ENGINE_UNAVAILABLE',
      `${source} names the Docker context ${JSON.stringify(name)}, which does not exist (no ${file}). 'docker context ls' lists what there is.`,
      { cure: 'Choose an existing context, or set DOCKER_HOST.' },
    );
  }
  const docker = field(field(meta, 'Endpoints'), 'docker');
  const host = field(docker, 'Host');
  if (typeof host !== 'string' || host === '') {
    throw createError(
      'ENGINE_UNAVAILABLE',
      `The Docker context ${JSON.stringify(name)} (${file}) has no docker endpoint. 'docker context update ${name} --docker host=…' sets one.`,
    );
  }
  const verify = field(docker, 'SkipTLSVerify') !== true;
  const tlsDir = join(configDir(world), 'contexts', 'tls', id, 'docker');
  const label = `the Docker context ${JSON.stringify(name)}`;
  const transport = await parseTransport(host, label, () => readTls(tlsDir, verify, label, 'optional'), world);
  return { source: label, address: host, transport };
}

async function currentContext(world: DockerConnectWorld): Promise<string | undefined> {
  const name = field(await readJson(join(configDir(world), 'config.json')), 'currentContext');
  return typeof name === 'string' && name !== '' && name !== 'default' ? name : undefined;
}

async function parseTransport(
  address: string,
  source: string,
  tls: () => Promise<TlsMaterial | undefined>,
  world: DockerConnectWorld,
): Promise<DockerTransport> {
  const refuse = (why: string) =>
    createError(
      'INVALID_ARGUMENT',
      `Expected ${source} to be an address like unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host, found ${JSON.stringify(address)}: ${why}.`,
    );
  if (address.startsWith('unix://')) {
    const path = address.slice('unix://'.length);
    if (path === '') return (await fromDefault(world)).transport;
    if (!path.startsWith('/')) throw refuse('the path is not absolute');
    return { kind: 'unix', path };
  }
  const withScheme = address.includes('://') ? address : `tcp://${address}`;
  const scheme = withScheme.slice(0, withScheme.indexOf('://'));
  if (!['tcp', 'http', 'https', 'ssh'].includes(scheme)) throw refuse(`nothing is known about ${scheme}://`);
  // As http, for `new URL` parses hosts and ports of special schemes only.
  const url = URL.parse(withScheme.replace(/^[a-z]+/, 'http'));
  // A leading dash would be an option to the ssh command.
  if (url === null || url.hostname === '' || url.hostname.startsWith('-')) throw refuse('no host');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // `new URL` drops a port that equals the scheme's default, 80.
  const writtenPort = /:(\d+)(?:[/?#]|$)/.exec(withScheme.slice(scheme.length + 3))?.[1];
  if (scheme === 'ssh') {
    const user = url.username === '' ? undefined : decodeURIComponent(url.username);
    if (user?.startsWith('-') === true) throw refuse('no user name');
    if (url.password !== '') throw refuse('ssh takes no password; use a key or an agent');
    const socketPath = url.pathname === '/' || url.pathname === '' ? undefined : url.pathname;
    return { kind: 'ssh', host, port: writtenPort === undefined ? undefined : Number(writtenPort), user, socketPath };
  }
  if (url.pathname !== '/' && url.pathname !== '') throw refuse('a path is not supported');
  const material = scheme === 'http' ? undefined : await tls();
  const https =
    scheme === 'https' && material === undefined
      ? { ca: undefined, cert: undefined, key: undefined, verify: true }
      : material;
  const port = writtenPort === undefined ? (https === undefined ? 2375 : 2376) : Number(writtenPort);
  return { kind: 'tcp', host, port, tls: https };
}

async function readTls(
  directory: string,
  verify: boolean,
  source: string,
  need: 'required' | 'optional',
): Promise<TlsMaterial | undefined> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readIfThere(join(directory, name))),
  );
  if (ca === undefined && cert === undefined && key === undefined) {
    if (need === 'optional') return verify ? undefined : { ca, cert, key, verify };
    throw createError(
      'ENGINE_UNAVAILABLE',
      `${source} asks for TLS (DOCKER_TLS_VERIFY), but there is no ca.pem, cert.pem or key.pem in ${directory}. Set DOCKER_CERT_PATH to the directory that has them.`,
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw createError(
      'ENGINE_UNAVAILABLE',
      `${directory} has ${cert === undefined ? 'key.pem but no cert.pem' : 'cert.pem but no key.pem'}: TLS with ${source} needs both.`,
    );
  }
  return { ca, cert, key, verify };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw createError(
      'ENGINE_UNAVAILABLE',
      `Docker's configuration can't be read: ${error instanceof Error ? error.message : path}.`,
      { path },
      error,
    );
  }
}

export async function readJson(path: string): Promise<unknown> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw createError(
      'ENGINE_UNAVAILABLE',
      `Expected JSON in ${path}: ${error instanceof Error ? error.message : 'it is not'}. Correct or remove the file.`,
      { path },
      error,
    );
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

async function firstWhere(
  paths: readonly string[],
  test: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const path of paths) if (await test(path)) return path;
  return undefined;
}

function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
