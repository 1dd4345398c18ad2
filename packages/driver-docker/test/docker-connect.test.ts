import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolveDockerEndpoint } from '../src/docker-connect.ts';

describe('resolveDockerEndpoint', () => {
  let homeDir: string;
  const servers: Server[] = [];

  beforeEach(async () => {
    homeDir = await mkdtemp(join(tmpdir(), 'nanoclaw-connect-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    await rm(homeDir, { recursive: true });
  });

  const resolve = (env: Record<string, string> = {}, more: { host?: string; context?: string } = {}) =>
    resolveDockerEndpoint({ env, homeDir, platform: 'linux', ...more });

  async function put(path: string, content: unknown): Promise<void> {
    const file = join(homeDir, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  }

  const contextId = (name: string) => createHash('sha256').update(name).digest('hex');
  const putContext = (name: string, docker: unknown) =>
    put(`.docker/contexts/meta/${contextId(name)}/meta.json`, { Name: name, Metadata: {}, Endpoints: { docker } });

  test.each([
    ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['tcp://engine:2375', { kind: 'tcp', host: 'engine', port: 2375, tls: undefined }],
    ['tcp://engine', { kind: 'tcp', host: 'engine', port: 2375, tls: undefined }],
    ['tcp://engine:80', { kind: 'tcp', host: 'engine', port: 80, tls: undefined }],
    ['engine:4243', { kind: 'tcp', host: 'engine', port: 4243, tls: undefined }],
    ['tcp://[::1]:2375', { kind: 'tcp', host: '::1', port: 2375, tls: undefined }],
    ['ssh://me@engine:22', { kind: 'ssh', host: 'engine', port: 22, user: 'me', socketPath: undefined }],
    ['ssh://engine', { kind: 'ssh', host: 'engine', port: undefined, user: undefined, socketPath: undefined }],
    [
      'ssh://engine/run/user/1/docker.sock',
      { kind: 'ssh', host: 'engine', port: undefined, user: undefined, socketPath: '/run/user/1/docker.sock' },
    ],
  ])('DOCKER_HOST=%s', async (address, transport) => {
    expect(await resolve({ DOCKER_HOST: address })).toEqual({ source: 'DOCKER_HOST', address, transport });
  });

  test.each([
    'unix://relative',
    'npipe:////./pipe/docker_engine',
    'ftp://x',
    'tcp://',
    'ssh://-oProxyCommand=x',
    'ssh://-l@host',
    'ssh://u:p@host',
    'tcp://host/path',
  ])('refuses %s', async (address) => {
    await expect(resolve({ DOCKER_HOST: address })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('DOCKER_HOST'),
    });
  });

  test('DOCKER_TLS_VERIFY takes the certificates of DOCKER_CERT_PATH, and says when there are none', async () => {
    const env = { DOCKER_HOST: 'tcp://engine:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: join(homeDir, 'certs') };
    await expect(resolve(env)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('DOCKER_CERT_PATH'),
    });
    await put('certs/ca.pem', 'CA');
    await put('certs/cert.pem', 'CERT');
    await expect(resolve(env)).rejects.toMatchObject({ message: expect.stringContaining('no key.pem') });
    await put('certs/key.pem', 'KEY');
    expect((await resolve(env)).transport).toEqual({
      kind: 'tcp',
      host: 'engine',
      port: 2376,
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', verify: true },
    });
  });

  test('the order is option, DOCKER_HOST, DOCKER_CONTEXT, the current context, the default', async () => {
    await putContext('one', { Host: 'tcp://one:1' });
    await putContext('two', { Host: 'tcp://two:2' });
    await put('.docker/config.json', { currentContext: 'one' });
    expect((await resolve()).address).toBe('tcp://one:1');
    expect((await resolve({ DOCKER_CONTEXT: 'two' })).address).toBe('tcp://two:2');
    expect((await resolve({ DOCKER_CONTEXT: 'two', DOCKER_HOST: 'tcp://env:3' })).address).toBe('tcp://env:3');
    expect((await resolve({ DOCKER_HOST: 'tcp://env:3' }, { context: 'two' })).address).toBe('tcp://two:2');
    expect((await resolve({ DOCKER_HOST: 'tcp://env:3' }, { host: 'tcp://option:4', context: 'two' })).address).toBe(
      'tcp://option:4',
    );
    expect((await resolve({ DOCKER_CONTEXT: 'default' })).source).toBe('the default socket');
  });

  test("a context's TLS files and its SkipTLSVerify are used", async () => {
    await putContext('safe', { Host: 'tcp://safe:2376', SkipTLSVerify: true });
    for (const name of ['ca', 'cert', 'key'])
      await put(`.docker/contexts/tls/${contextId('safe')}/docker/${name}.pem`, name);
    expect(await resolve({}, { context: 'safe' })).toEqual({
      source: 'the Docker context "safe"',
      address: 'tcp://safe:2376',
      transport: { kind: 'tcp', host: 'safe', port: 2376, tls: { ca: 'ca', cert: 'cert', key: 'key', verify: false } },
    });
  });

  test('a context that does not exist, is broken or has no endpoint', async () => {
    await expect(resolve({ DOCKER_CONTEXT: 'nowhere' })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/DOCKER_CONTEXT.*"nowhere".*docker context ls/),
    });
    await putContext('empty', {});
    await expect(resolve({}, { context: 'empty' })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('no docker endpoint'),
    });
    await put('.docker/config.json', '{');
    await expect(resolve()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('config.json'),
    });
  });

  test("DOCKER_CONFIG moves Docker's directory", async () => {
    await put('elsewhere/config.json', { currentContext: 'gone' });
    await expect(resolve({ DOCKER_CONFIG: join(homeDir, 'elsewhere') })).rejects.toMatchObject({
      message: expect.stringContaining('"gone"'),
    });
  });

  test("a rootless engine's socket is found where the system's is missing", async () => {
    const path = join(homeDir, 'docker.sock');
    const server = createServer();
    servers.push(server);
    await new Promise<void>((done) => server.listen(path, done));
    const found = await resolve({ XDG_RUNTIME_DIR: homeDir });
    // A machine that runs these tests may have an engine of its own.
    expect([path, '/var/run/docker.sock']).toContain(found.transport.kind === 'unix' ? found.transport.path : '');
  });
});
