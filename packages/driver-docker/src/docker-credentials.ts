import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { configDir, readJson } from './docker-connect.ts';
import { registryOf } from './docker-image-reference.ts';
import { member, textMember } from './docker-json-lines.ts';

/** What the engine sends to a registry, as the `X-Registry-Auth` header has it. */
export interface RegistryCredentials {
  readonly serveraddress: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

export interface CredentialWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
}

const helperTimeoutMs = 30_000;
const helperAnswerBytes = 64 * 1024;

/**
 * The user's credentials for a registry, from `~/.docker/config.json`: a helper for that registry, the general store, or what
 * is written there. `undefined` where there are none; a helper that fails is as none, for the pull then says what is missing.
 */
export async function findRegistryCredentials(
  reference: string,
  world: CredentialWorld,
): Promise<RegistryCredentials | undefined> {
  const config = await readJson(join(configDir(world), 'config.json'));
  const registry = registryOf(reference);
  const helper = textMember(config, 'credHelpers', registry) ?? textMember(config, 'credsStore');
  if (helper !== undefined && helper !== '') {
    const found = await askHelper(helper, registry, world.env);
    if (found !== undefined) return found;
  }
  return fromAuths(member(config, 'auths'), registry);
}

function fromAuths(auths: unknown, registry: string): RegistryCredentials | undefined {
  const keys = [
    registry,
    `https://${registry}`,
    `https://${registry}/v1/`,
    `https://${registry}/v2/`,
    `http://${registry}`,
  ];
  for (const key of keys) {
    const entry = member(auths, key);
    const identitytoken = textMember(entry, 'identitytoken');
    if (identitytoken) return { serveraddress: registry, identitytoken };
    const decoded = Buffer.from(textMember(entry, 'auth') ?? '', 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon > 0)
      return {
        serveraddress: registry,
        username: decoded.slice(0, colon),
        password: decoded.slice(colon + 1).replace(/\0+$/, ''),
      };
    const username = textMember(entry, 'username');
    const password = textMember(entry, 'password');
    if (username && password) return { serveraddress: registry, username, password };
  }
  return undefined;
}

/** Runs `docker-credential-NAME get`, without a shell: the registry goes in, JSON comes out. */
function askHelper(
  name: string,
  registry: string,
  env: CredentialWorld['env'],
): Promise<RegistryCredentials | undefined> {
  // It becomes the name of a program.
  if (!/^[\w][\w.-]*$/.test(name)) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const child = spawn(`docker-credential-${name}`, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...env },
      timeout: helperTimeoutMs,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= helperAnswerBytes) chunks.push(chunk);
    });
    child.stdin.on('error', () => undefined);
    child.on('error', () => resolve(undefined));
    child.on('close', (code) =>
      resolve(code === 0 ? parseHelperAnswer(Buffer.concat(chunks).toString('utf8'), registry) : undefined),
    );
    child.stdin.end(registry);
  });
}

function parseHelperAnswer(text: string, registry: string): RegistryCredentials | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  const username = textMember(answer, 'Username');
  const secret = textMember(answer, 'Secret');
  if (!username || !secret) return undefined;
  return username === '<token>'
    ? { serveraddress: registry, identitytoken: secret }
    : { serveraddress: registry, username, password: secret };
}
