import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { seccompProfile } from '../../../src/policy/seccomp/profile.ts';

const image = 'nanoclaw-test/python:3.11';
const repository = fileURLToPath(new URL('../../../../../', import.meta.url));

/** Docker as `test/host/up` left it, or as the environment names it; nothing where there is none. */
function dockerHost(): string | undefined {
  if (process.env.DOCKER_HOST !== undefined) return process.env.DOCKER_HOST;
  try {
    const env = readFileSync(join(repository, 'test/host/.run/env'), 'utf8');
    return /^DOCKER_HOST=(.+)$/m.exec(env)?.[1];
  } catch {
    return undefined;
  }
}

const run = promisify(execFile);
const host = dockerHost();
const hasImage =
  host !== undefined &&
  (await run('docker', ['-H', host, 'image', 'inspect', image]).then(
    () => true,
    () => false,
  ));

test.skipIf(!hasImage)('the kernel answers as the profile says, on Docker', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nanoclaw-seccomp-'));
  try {
    const profile = join(directory, 'profile.json');
    await writeFile(profile, seccompProfile());
    const probe = readFileSync(new URL('./probe.py', import.meta.url), 'utf8');
    const options = [
      '--rm',
      '--network',
      'none',
      '--user',
      '54321:54321',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
      '--security-opt',
      `seccomp=${profile}`,
      '--read-only',
      '--tmpfs',
      '/tmp:size=1m,mode=1777',
    ];
    const { stdout } = await run('docker', ['-H', host ?? '', 'run', ...options, image, 'python3', '-c', probe]);
    const { x32, 'int 0x80': int80, ...verdicts } = JSON.parse(stdout) as Record<string, string>;
    if (x32 !== undefined) expect([x32, int80]).toEqual(['signal -31', 'signal -31']);

    const allowed = Object.entries(verdicts)
      .filter(([, verdict]) => verdict === 'ok')
      .map(([name]) => name);
    expect(allowed).toEqual([
      'clone',
      'socket UNIX',
      'socket INET STREAM',
      'socket INET6 DGRAM',
      'socket NETLINK ROUTE',
      'mknodat fifo',
      'memfd_create',
      'personality',
    ]);
    expect(verdicts.clone3).toBe('ENOSYS');
    expect(['ENOSYS', 'EPERM']).toContain(verdicts['not a call']);
    expect(verdicts['ioctl TCGETS']).toBe('ENOTTY');
    const others = Object.entries(verdicts).filter(
      ([name]) => !allowed.includes(name) && !['clone3', 'not a call', 'ioctl TCGETS'].includes(name),
    );
    expect(others.filter(([, verdict]) => verdict !== 'EPERM')).toEqual([]);
    expect(others.length).toBeGreaterThan(20);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
