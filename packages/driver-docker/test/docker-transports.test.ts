import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { SandboxRuntime } from '@nanoclaw/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../../../test/support/engine.ts';
import { createDockerRuntime } from '../src/index.ts';
import { containerSpec, shell } from './support/container-spec.ts';

const never = new AbortController().signal;

/** The whole way of a sandbox: both directions, and the half-close that ends the input. */
async function useEngine(runtime: SandboxRuntime): Promise<void> {
  const image = await runtime.ensureImage(
    { kind: 'reference', reference: testImages.busybox, pull: 'never' },
    { signal: never, onProgress: () => undefined },
  );
  const container = await runtime.start(containerSpec({ image, command: shell('cat; echo end') }), { signal: never });
  const sent = randomBytes(500_000).toString('hex');
  container.channel.end(sent);
  const chunks: Buffer[] = [];
  for await (const chunk of container.channel) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).toString() === `${sent}end\n`).toBe(true);
  expect(await container.exited).toEqual({ kind: 'exit', exitCode: 0 });
  const second = await runtime.start(containerSpec({ image }), { signal: never });
  second.channel.resume();
  await runtime.destroy(second.id, { signal: never });
  expect(await second.exited).toEqual({ kind: 'signal', signal: 9 });
}

describeEngine('an engine behind TLS', () => {
  let directory: string;
  let server: Server;
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: directory, stdio: 'ignore' });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-tls-'));
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=test-ca',
      '-keyout',
      'ca-key.pem',
      '-out',
      'ca.pem',
    );
    await writeFile(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1');
    for (const name of ['server', 'client']) {
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        `${name}-key.pem`,
        '-out',
        `${name}.csr`,
      );
      openssl(
        'x509',
        '-req',
        '-days',
        '2',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca-key.pem',
        '-set_serial',
        name === 'server' ? '1' : '2',
        '-extfile',
        'names',
        '-out',
        `${name}.pem`,
      );
    }
    await writeFile(join(directory, 'cert.pem'), await readFile(join(directory, 'client.pem')));
    await writeFile(join(directory, 'key.pem'), await readFile(join(directory, 'client-key.pem')));
    const [key, cert, ca] = await Promise.all(
      ['server-key.pem', 'server.pem', 'ca.pem'].map((name) => readFile(join(directory, name))),
    );
    server = createServer(
      { key, cert, ca, requestCert: true, rejectUnauthorized: true, allowHalfOpen: true } as object,
      (client: TLSSocket) => {
        const engine = connect({ path: dockerHost().replace('unix://', ''), allowHalfOpen: true });
        client.pipe(engine).pipe(client);
        for (const socket of [client, engine]) {
          socket.on('error', () => undefined);
          socket.on('close', () => setTimeout(() => [client.destroy(), engine.destroy()], 100));
        }
      },
    );
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    server?.close();
    await rm(directory, { recursive: true });
  });

  const host = () => `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;

  test('is used with the certificates of DOCKER_CERT_PATH', async () => {
    const runtime = createDockerRuntime({
      env: { DOCKER_HOST: host(), DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory, HOME: directory },
      homeDir: directory,
    });
    expect((await runtime.capabilities({ signal: never })).warnings.join()).not.toContain('TLS');
    await useEngine(runtime);
    await runtime.close();
  });

  test('whose certificate nobody signed, or that is spoken to in plain text, is refused', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'nanoclaw-tls-'));
    await writeFile(join(empty, 'cert.pem'), await readFile(join(directory, 'client.pem')));
    await writeFile(join(empty, 'key.pem'), await readFile(join(directory, 'client-key.pem')));
    const unknown = createDockerRuntime({
      env: { DOCKER_HOST: host(), DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: empty },
      homeDir: empty,
    });
    await expect(unknown.capabilities({ signal: never })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('TLS'),
    });
    await unknown.close();
    const plain = createDockerRuntime({ env: { DOCKER_HOST: host() }, homeDir: empty });
    await expect(plain.capabilities({ signal: never })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await plain.close();
    await rm(empty, { recursive: true });
  });
});

describeEngine('an engine behind ssh', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanoclaw-ssh-'));
    // Stands for ssh: `docker system dial-stdio` on the other side is a connection to the socket there.
    const script = `#!${process.execPath}
const host = process.argv[process.argv.indexOf('--') + 1];
if (host !== 'engine.test') { console.error('Host key verification failed.\\x1b[31m'); process.exit(255); }
if (process.argv.slice(-3).join(' ') !== 'docker system dial-stdio') process.exit(9);
const socket = require('node:net').connect({ path: ${JSON.stringify(dockerHost().replace('unix://', ''))}, allowHalfOpen: true });
process.stdin.pipe(socket).pipe(process.stdout);
socket.on('close', () => process.exit(0));
`;
    await writeFile(join(directory, 'ssh'), script);
    await chmod(join(directory, 'ssh'), 0o755);
  });
  afterAll(() => rm(directory, { recursive: true }));

  const env = (host: string) => ({ ...process.env, DOCKER_HOST: host, PATH: `${directory}:${process.env.PATH}` });

  test("is reached through the user's own ssh", async () => {
    const runtime = createDockerRuntime({ env: env('ssh://me@engine.test') });
    await useEngine(runtime);
    await runtime.close();
  });

  test("that can't be reached says what ssh said", async () => {
    const runtime = createDockerRuntime({ env: env('ssh://other.test') });
    await expect(runtime.capabilities({ signal: never })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/ssh:\/\/other\.test: Host key verification failed\.\\x1b/),
    });
    await runtime.close();
  });
});

describeEngine('a process', () => {
  test('that leaves a runtime open ends when nothing runs in it', async () => {
    const program = `
      import { createDockerRuntime } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      const signal = new AbortController().signal;
      const runtime = createDockerRuntime({ host: ${JSON.stringify(dockerHost())} });
      const spec = JSON.parse(process.argv[1]);
      const container = await runtime.start(spec, { signal });
      container.channel.end('hello').resume();
      console.log(JSON.stringify(await container.exited));
    `;
    const runtime = createDockerRuntime({ host: dockerHost() });
    const image = await runtime.ensureImage(
      { kind: 'reference', reference: testImages.busybox, pull: 'never' },
      { signal: never, onProgress: () => undefined },
    );
    await runtime.close();
    const startedAt = performance.now();
    const printed = execFileSync(
      process.execPath,
      ['--input-type=module', '-e', program, JSON.stringify(containerSpec({ image }))],
      { timeout: 20_000, encoding: 'utf8' },
    );
    expect(JSON.parse(printed)).toEqual({ kind: 'exit', exitCode: 0 });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});
