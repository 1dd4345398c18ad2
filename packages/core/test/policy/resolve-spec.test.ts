import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { accountFiles } from '../../src/policy/account-files.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { maskedPaths, readOnlyPaths } from '../../src/policy/paths.ts';
import { resolveSpec, type SpecInput } from '../../src/policy/resolve-spec.ts';
import { seccompProfile } from '../../src/policy/seccomp/profile.ts';
import { capabilitiesOf, errorOf, imageOf } from './support.ts';

function inputOf(changes: Partial<SpecInput> = {}): SpecInput {
  return {
    policy: parsePolicy(),
    capabilities: capabilitiesOf(),
    image: imageOf(),
    sandboxId: 'abc123',
    user: { uid: 100_001, gid: 100_001 },
    files: [],
    mounts: [],
    runnerCommand: ['/.nanoclaw/runner', '--lease'],
    labels: { 'nanoclaw.managed': 'true' },
    ...changes,
  };
}

test('a container is decided, every field of it', () => {
  const input = inputOf();
  expect(resolveSpec(input)).toEqual({
    name: 'nanoclaw-abc123',
    hostname: 'sandbox',
    image: input.image,
    command: ['/.nanoclaw/runner', '--lease'],
    files: [],
    labels: { 'nanoclaw.managed': 'true' },
    user: { uid: 100_001, gid: 100_001 },
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: '/workspace',
      USER: 'sandbox',
      LOGNAME: 'sandbox',
    },
    workdir: '/',
    isolation: 'shared-kernel',
    network: 'none',
    seccompProfile: seccompProfile(),
    maskedPaths: maskedPaths(2),
    readOnlyPaths,
    scratch: [
      { target: '/tmp', sizeBytes: 64 * 2 ** 20, inodes: 8192, mode: 0o700, executable: false },
      { target: '/workspace', sizeBytes: 128 * 2 ** 20, inodes: 16_384, mode: 0o700, executable: true },
    ],
    sharedMemoryBytes: 8 * 2 ** 20,
    sharedMemoryInodes: 1_024,
    mounts: [],
    coveredPaths: [],
    memoryBytes: 512 * 2 ** 20,
    cpuMillis: 1000,
    cpuShares: 512,
    pids: 256,
    openFiles: 1024,
    relaxed: [],
  });
});

test('141: more CPUs than the host has are clamped', () => {
  const spec = (cpus: number, cpuCount: number) =>
    resolveSpec(inputOf({ policy: parsePolicy({ cpus }), capabilities: capabilitiesOf({ cpuCount }) })).cpuMillis;
  expect([spec(64, 2), spec(1.5, 2), spec(0.01, 2), spec(4, 0)]).toEqual([2000, 1500, 10, 1000]);
});

test('152: nothing of the image but PATH and locale gets in', () => {
  const image = imageOf({
    env: ['PATH=/opt/bin:/usr/bin', 'LD_PRELOAD=/evil.so', 'HOME=/root', 'USER=root'],
    user: '0',
    workdir: '/proc/self/fd/8',
    entrypoint: ['#!/proc/self/exe'],
    hasHealthcheck: true,
  });
  const spec = resolveSpec(inputOf({ image }));
  expect(spec.env).toEqual({
    PATH: '/opt/bin:/usr/bin',
    LANG: 'C.UTF-8',
    HOME: '/workspace',
    USER: 'sandbox',
    LOGNAME: 'sandbox',
  });
  expect([spec.workdir, spec.command[0], spec.user.uid]).toEqual(['/', '/.nanoclaw/runner', 100_001]);
});

test("an image's PATH in a writable mount is not used", () => {
  const input = inputOf({
    image: imageOf({ env: ['PATH=/shared/bin'] }),
    mounts: [{ source: '/srv', target: '/shared', readOnly: false }],
  });
  expect(resolveSpec(input).env.PATH).not.toContain('/shared');
  expect(resolveSpec({ ...input, mounts: [{ source: '/srv', target: '/shared', readOnly: true }] }).env.PATH).toBe(
    '/shared/bin',
  );
});

describe("84, 152: an image's volumes", () => {
  const cover = (volumes: readonly string[], policy: unknown = {}) =>
    resolveSpec(inputOf({ image: imageOf({ volumes }), policy: parsePolicy(policy) })).coveredPaths;

  test('are covered, each once, but for what the policy puts there', () => {
    expect(
      cover(['/data', '/data/', '/var/lib/postgresql/data', '/tmp', '/workspace', '/cache'], {
        mounts: ['/srv/x:/cache'],
      }),
    ).toEqual(['/data', '/var/lib/postgresql/data']);
  });

  test.each([
    '/',
    '',
    'data',
    '/a/../b',
    '//a',
    '/proc',
    '/proc/x',
    '/sys',
    '/dev/shm',
    '/etc',
    '/etc/passwd',
    '/.nanoclaw',
    '/a:b',
    '/a,b',
    '/a\nb',
    '/workspace/data',
    '/\ud800',
  ])('that cannot be covered make the image unusable (%#)', (volume) => {
    const error = errorOf(() => cover([volume]));
    expect(error.code).toBe('IMAGE_UNUSABLE');
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test('must not overlap each other, scratch or mounts', () => {
    expect(errorOf(() => cover(['/data', '/data/x'])).code).toBe('IMAGE_UNUSABLE');
    expect(errorOf(() => cover(['/var'], { scratch: [{ path: '/var/cache', size: '1m' }] })).code).toBe(
      'IMAGE_UNUSABLE',
    );
    expect(errorOf(() => cover(['/m/x'], { mounts: ['/srv/x:/m'] })).code).toBe('IMAGE_UNUSABLE');
    expect(errorOf(() => cover(Array.from({ length: 65 }, (_, index) => `/v${index}`))).code).toBe('IMAGE_UNUSABLE');
  });
});

test.each([
  [{ os: 'linux', architecture: 'arm64' }],
  [{ os: 'windows', architecture: 'amd64' }],
  [{ os: '', architecture: '' }],
])('an image of another platform is unusable (%#)', (platform) => {
  expect(errorOf(() => resolveSpec(inputOf({ image: imageOf({}, { platform }) }))).code).toBe('IMAGE_UNUSABLE');
});

describe('154: names and labels', () => {
  test.each(['', 'A', 'a b', 'a/b', '-a', 'a-', 'a'.repeat(41), 'a\n', '../x'])(
    'the id is refused (%#)',
    (sandboxId) => {
      expect(errorOf(() => resolveSpec(inputOf({ sandboxId })))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { problems: [{ path: 'sandboxId' }] },
      });
    },
  );

  test.each([
    [{ '': 'x' }],
    [{ 'a b': 'x' }],
    [{ 'a\n': 'x' }],
    [{ 'a=b': 'x' }],
    [{ ['a'.repeat(300)]: 'x' }],
    [{ a: 'x'.repeat(1_025) }],
    [{ a: 'x\ny' }],
    [{ a: '\u001b[31m' }],
    [{ a: '\u202e' }],
    [Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, '']))],
  ])('labels are refused (%#)', (labels) => {
    expect(errorOf(() => resolveSpec(inputOf({ labels }))).details.problems?.[0]?.path).toBe('labels');
  });

  test.each([
    { uid: 0, gid: 5 },
    { uid: 5, gid: 0 },
    { uid: 65_534, gid: 5 },
    { uid: 1.5, gid: 5 },
  ])('151: user %j is refused', (user) => {
    expect(errorOf(() => resolveSpec(inputOf({ user }))).code).toBe('INVALID_ARGUMENT');
  });

  test('the runner is named by an absolute path', () => {
    expect(errorOf(() => resolveSpec(inputOf({ runnerCommand: ['runner'] }))).code).toBe('INVALID_ARGUMENT');
  });
});

test('passwd and group know the account, root and nobody', () => {
  const files = accountFiles({ uid: 100_001, gid: 100_002, home: '/workspace' });
  const texts = files.map(({ target, mode, content, sha256 }) => {
    const text = 'text' in content ? content.text : '';
    expect([mode, sha256]).toEqual([0o444, createHash('sha256').update(text).digest('hex')]);
    return `${target}\n${text}`;
  });
  expect(texts.join('')).toMatchInlineSnapshot(`
    "/etc/passwd
    root:x:0:0:root:/root:/usr/sbin/nologin
    sandbox:x:100001:100002:NanoClaw sandbox:/workspace:/bin/sh
    nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /etc/group
    root:x:0:
    sandbox:x:100002:
    nogroup:x:65534:
    "
  `);
});

test('masked paths cover every CPU, and are absolute, distinct and below /proc or /sys', () => {
  const paths = maskedPaths(3);
  expect(paths.filter((path) => path.includes('thermal_throttle'))).toHaveLength(3);
  for (const path of [...paths, ...readOnlyPaths]) expect(path).toMatch(/^\/(proc|sys)(\/[a-z0-9_.-]+)+$/);
  expect(new Set([...paths, ...readOnlyPaths]).size).toBe(paths.length + readOnlyPaths.length);
});
