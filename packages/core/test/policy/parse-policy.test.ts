import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNanoclawError } from '../../src/errors/nanoclaw-error.ts';
import { formatPolicy } from '../../src/policy/format-policy.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { presetNames } from '../../src/policy/policy-input.ts';
import { policyFields } from '../../src/policy/schema.ts';
import { controlNames, isolationLevels } from '../../src/runtime/controls.ts';
import { errorOf, problemPaths } from './support.ts';

const mib = 2 ** 20;

test('the defaults are those of the documentation', () => {
  expect(parsePolicy()).toEqual({
    preset: 'default',
    user: 'auto',
    memoryBytes: 512 * mib,
    workingSetBytes: 64 * mib,
    cpuMillis: 1000,
    cpuShares: 512,
    pids: 256,
    openFiles: 1024,
    scratch: [
      { path: '/tmp', sizeBytes: 64 * mib, inodes: 8192, executable: false, mode: 0o700, medium: 'memory' },
      { path: '/workspace', sizeBytes: 128 * mib, inodes: 16_384, executable: true, mode: 0o700, medium: 'memory' },
    ],
    sharedMemoryBytes: 8 * mib,
    workdir: '/workspace',
    home: '/workspace',
    execTimeoutMs: 60_000,
    lifetimeMs: 900_000,
    idleMs: 'off',
    isolation: 'shared-kernel',
    network: 'none',
    mounts: [],
    egress: [],
    relax: [],
  });
});

test.each([[undefined], [{}], ['default'], [{ preset: 'default' }], [{ memory: undefined }], [Object.create(null)]])(
  '%j is the default policy',
  (input) => {
    expect(parsePolicy(input)).toEqual(parsePolicy());
  },
);

test('a policy is frozen, all of it', () => {
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  const policy = parsePolicy({ user: { uid: 5, gid: 5 }, mounts: ['/srv/a:/a'], relax: ['memory'] });
  expect(frozen(policy)).toBe(true);
});

test('a policy keeps nothing of its input', () => {
  const input = { relax: ['memory'], scratch: [{ path: '/a', size: '1m' }] };
  const policy = parsePolicy(input);
  input.relax.push('user');
  input.scratch.push({ path: '/b', size: '1m' });
  expect([policy.relax, policy.scratch.length]).toEqual([['memory'], 1]);
});

describe('bad input: adversarial cases 139 to 155', () => {
  const bad: readonly (readonly [string, string, readonly unknown[]])[] = [
    [
      '139',
      'memory',
      [
        '64mb',
        '-1',
        '1e99',
        Number.NaN,
        Number.POSITIVE_INFINITY,
        '',
        0,
        5 * mib,
        '5m',
        2 ** 63,
        '17t',
        null,
        [],
        {},
        true,
      ],
    ],
    ['140', 'pids', [0, -7, 1.5, 1e9, 7, 32_769, '256', null]],
    ['141', 'cpus', [0, 0.001, -1, Number.NaN, Number.POSITIVE_INFINITY, 1025, '1', null]],
    ['141', 'cpuShares', [0, 1, 262_145, 2.5, '512']],
    ['142', 'execTimeout', [0, -1, 61, '60', '0s', '25h', 'off', '', null]],
    ['142', 'lifetime', ['999ms', '169h', 'off', 900]],
    ['142', 'idle', ['0s', 'never', 0, false]],
    ['150', 'openFiles', [15, 1_048_577, '1024', 1.5]],
    ['150', 'workingSet', ['0', '64mb', -1]],
    ['150', 'sharedMemory', ['0', '1k', 'none']],
    ['150', 'isolation', ['none', '', 0, ['gvisor']]],
    ['150', 'network', ['host', 'bridge', true]],
    ['150', 'preset', ['unsafe', '', 3, '__proto__', 'toString']],
    ['150', 'scratch', [{}, 'none', null, 0, Array(17).fill({ path: '/a', size: '1m' })]],
    ['150', 'mounts', [{}, '/srv:/srv', 1]],
    ['151', 'user', ['root', '0', 0, 1000, [1, 1], null]],
    [
      '151',
      'user.uid',
      [
        '0:1',
        { uid: 0, gid: 1 },
        { uid: 65_534, gid: 1 },
        { uid: -1, gid: 1 },
        { uid: 1.5, gid: 1 },
        { uid: 2 ** 31 - 1, gid: 1 },
        { gid: 1 },
      ],
    ],
    ['151', 'user.gid', ['1:0', '1:65534', { uid: 1, gid: 0 }, { uid: 1, gid: 2 ** 32 }, { uid: 1 }]],
    [
      '151',
      'relax[0]',
      [['everything'], ['user'], ['capabilities'], ['no-new-privileges'], ['network'], ['isolation'], [1]],
    ],
    ['151', 'relax[1]', [['memory', 'memory']]],
    ['egress', 'egress', [['api.openai.com'], 'none', {}, true, [{ host: 'a.b' }]]],
    [
      '42',
      'workdir',
      [
        '/proc/self/fd/7',
        '/proc',
        '/sys/fs',
        '/dev/shm',
        '/.nanoclaw',
        'workspace',
        '',
        '/a/../b',
        '/a/',
        '/a//b',
        '/a\nb',
        '/a:b',
        7,
      ],
    ],
    ['42', 'home', ['/proc/self/cwd', '~', '/a\0']],
  ];
  for (const [number, field, inputs] of bad) {
    test.each(inputs.map((input) => [input]))(`${number}: ${field} (%#)`, (input) => {
      const top = field.replace(/[.[].*/, '');
      expect(problemPaths({ [top]: input })).toEqual([field]);
    });
  }

  test('142: more than the lifetime', () => {
    expect(problemPaths({ execTimeout: '20m' })).toEqual(['execTimeout']);
    expect(parsePolicy({ execTimeout: '20m', lifetime: '1h' }).execTimeoutMs).toBe(1_200_000);
    expect(parsePolicy({ lifetime: '30s' }).execTimeoutMs).toBe(30_000);
  });

  test.each(['privileged', 'capAdd', 'cap_add', 'hostNetwork', 'seccomp', 'devices', 'root', 'securityOpt', 'sysctls'])(
    '151: %s can not be said',
    (field) => {
      expect(problemPaths({ [field]: true })).toEqual([field]);
    },
  );

  test('150: unknown keys, at every level', () => {
    expect(
      problemPaths({ Memory: '1g', scratch: [{ path: '/a', size: '1m', siez: 1 }], user: { uid: 1, gid: 1, x: 1 } }),
    ).toEqual(['user.x', 'scratch[0].siez', 'Memory']);
    expect(errorOf(() => parsePolicy({ Memory: '1g' })).message).toContain("did you mean 'memory'?");
    expect(errorOf(() => parsePolicy({ allowed_hosts: [] })).message).toContain("did you mean 'egress'?");
  });

  test.each([
    [null],
    [5],
    [true],
    [[]],
    ['nope'],
    [''],
    [Symbol('x')],
    [() => 1],
    [new Date()],
    [new Map()],
    [new (class A {})()],
    [10n],
  ])('150: what is no policy (%#)', (input) => {
    expect(errorOf(() => parsePolicy(input)).code).toBe('INVALID_POLICY');
  });
});

describe('input that is no plain data', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.scratch = [cyclic];
  let calls = 0;
  const getter = {
    get memory() {
      calls += 1;
      return '512m';
    },
  };
  const trap = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('trap');
      },
      getPrototypeOf: () => {
        throw new Error('trap');
      },
    },
  );
  test.each([
    ['__proto__', JSON.parse('{"__proto__": {"memory": "1g"}}'), ['__proto__']],
    ['constructor', { constructor: 1 }, ['constructor']],
    ['nested __proto__', { user: JSON.parse('{"uid":1,"gid":1,"__proto__":{}}') }, ['user.__proto__']],
    ['cycle', cyclic, ['scratch[0]', 'scratch[0]']],
    ['getter', getter, ['memory']],
    ['proxy', trap, ['']],
    ['proxy as prototype', Object.create(trap), ['']],
    ['inherited', Object.create({ memory: '1g' }), ['']],
    ['symbol', { [Symbol('x')]: 1 }, ['']],
    ['function', { memory: () => 1 }, ['memory']],
    ['bigint', { memory: 10n }, ['memory']],
    ['instance', { memory: new String('512m') }, ['memory']],
    ['holes', { relax: Array(2) }, ['relax[0]', 'relax[1]', 'relax[0]', 'relax[1]']],
    ['depth', { scratch: [[[[[[[[[[]]]]]]]]]] }, ['scratch[0][0][0][0][0][0][0]', 'scratch[0]']],
  ])('%s', (_name, input, paths) => {
    expect(problemPaths(input)).toEqual(paths);
    expect(calls).toBe(0);
  });

  test('sizes are bounded before anything is looked at', () => {
    expect(problemPaths({ relax: Array(1_000_000).fill('memory') })).toEqual(['relax']);
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 1]));
    expect(problemPaths(wide).length).toBe(100);
  });

  test('nothing of Object.prototype is changed or used', () => {
    problemPaths(JSON.parse('{"__proto__": {"polluted": 1}}'));
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});

describe('messages', () => {
  test('list every problem with what was expected and found', () => {
    const error = errorOf(() => parsePolicy({ memory: '64mb', pids: 0, cpu: 1, user: { uid: 0, gid: 5 } }));
    expect(error.message).toMatchInlineSnapshot(`
      "the policy is not valid, 4 problems:
        - user.uid: 0 is root, and a sandbox never runs as root: take another id, or user: auto
        - memory: expected a size such as '512m' or '1.5g' (units b, k, m, g, t in powers of 1024), or a whole number of bytes, found "64mb"
        - pids: expected a whole number from 8 to 32768, found 0
        - cpu: "cpu" is not a field of a policy; did you mean 'cpus'?"
    `);
  });

  test('show values short and without control characters', () => {
    const hostile = `\u001b]52;c;AAAA\u0007\n\u202e${'x'.repeat(10_000)}`;
    for (const input of [
      { memory: hostile },
      { [hostile]: 1 },
      { workdir: hostile },
      hostile,
      { mounts: [hostile] },
      { relax: [hostile] },
    ]) {
      const { message } = errorOf(() => parsePolicy(input));
      expect(message).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(message.length).toBeLessThan(800);
    }
  });
});

describe('the memory rules', () => {
  const scratch = (size: string) => ({ scratch: [{ path: '/workspace', size }] });

  test.each([
    [{ memory: '512m', ...scratch('250m'), sharedMemory: '8m' }, 'twice'],
    [{ memory: '512m', ...scratch('249m') }, 'twice'],
    [{ memory: '512m', workingSet: '300m' }, '1.1'],
    [{ memory: '512m', workingSet: '512m' }, '1.1'],
  ])('refuse %j', (input, why) => {
    const error = errorOf(() => parsePolicy(input));
    expect(error.details.problems?.map(({ path }) => path)).toEqual(['memory']);
    expect(error.message).toContain(why);
  });

  test.each([
    { memory: '512m', ...scratch('248m') },
    { memory: '512m', workingSet: '265m' },
    { memory: '32m' },
    { memory: '100m' },
    { memory: '1t' },
  ])('accept %j', (input) => {
    expect(parsePolicy(input).memoryBytes).toBeGreaterThan(0);
  });

  test('both are told at once', () => {
    expect(problemPaths({ memory: '64m', ...scratch('64m') })).toEqual(['memory', 'memory']);
  });

  test('what is not written down shrinks with the memory', () => {
    const { scratch: directories, sharedMemoryBytes, workingSetBytes } = parsePolicy({ memory: '128m' });
    expect([
      directories.map(({ sizeBytes }) => sizeBytes / mib),
      sharedMemoryBytes / mib,
      workingSetBytes / mib,
    ]).toEqual([[16, 32], 2, 64]);
  });

  test('sizes are whole pages of the largest kind', () => {
    const policy = parsePolicy({ memory: '0.7g', sharedMemory: 100_000, scratch: [{ path: '/a', size: '0.1m' }] });
    for (const bytes of [policy.memoryBytes, policy.sharedMemoryBytes, policy.scratch[0]?.sizeBytes])
      expect(bytes).toSatisfy((n: number) => n > 0 && n % 65_536 === 0);
  });
});

describe('scratch', () => {
  test.each([
    '/',
    '/proc',
    '/proc/x',
    '/sys',
    '/dev',
    '/dev/shm',
    '/.nanoclaw',
    '/.nanoclaw/x',
    '/etc',
    '/etc/passwd',
    '/etc/resolv.conf',
    'tmp',
    '/a/',
    '//a',
    '/a/./b',
    '/a,b',
    '/a:b',
    '/a\\b',
    '/a\u202eb',
    `/${'a'.repeat(256)}`,
    `/${'a/'.repeat(600)}b`,
    '/\ud800',
  ])('is not where it may not be (%#)', (path) => {
    expect(problemPaths({ scratch: [{ path, size: '1m' }] })).toEqual(['scratch[0].path']);
  });

  test('directories do not overlap', () => {
    const at = (...paths: string[]) => ({ scratch: paths.map((path) => ({ path, size: '1m' })) });
    expect(problemPaths(at('/a', '/a'))).toEqual(['scratch[1].path']);
    expect(problemPaths(at('/a', '/b', '/a/c'))).toEqual(['scratch[2].path']);
    expect(problemPaths(at('/a/c', '/a'))).toEqual(['scratch[1].path']);
    expect(parsePolicy(at('/a', '/ab', '/b')).scratch.length).toBe(3);
  });

  test('fields', () => {
    expect(problemPaths({ scratch: [{ path: '/a', size: '1m', medium: 'disk' }] })).toEqual(['scratch[0].medium']);
    expect(errorOf(() => parsePolicy({ scratch: [{ path: '/a', size: '1m', medium: 'disk' }] })).message).toContain(
      'bound',
    );
    expect(
      problemPaths({
        scratch: [{ path: '/a', size: '1m', inodes: 0, executable: 'yes', mode: 448, medium: 'ssd' }, {}],
      }),
    ).toEqual([
      'scratch[0].inodes',
      'scratch[0].executable',
      'scratch[0].mode',
      'scratch[0].medium',
      'scratch[1].path',
      'scratch[1].size',
    ]);
    expect(parsePolicy({ scratch: [{ path: '/a', size: '1m', mode: '1777' }] }).scratch[0]?.mode).toBe(0o1777);
    for (const mode of ['4755', '0o700', '077', '600', '', '00700']) {
      expect(problemPaths({ scratch: [{ path: '/a', size: '1m', mode }] })).toEqual(['scratch[0].mode']);
    }
  });

  test('decides where home is', () => {
    expect(parsePolicy({ scratch: [{ path: '/work', size: '1m' }] }).home).toBe('/work');
    expect(parsePolicy({ scratch: [] })).toMatchObject({ home: '/', workdir: '/' });
    expect(parsePolicy({ scratch: [], mounts: ['/srv/x:/workspace:rw'] }).home).toBe('/workspace');
    expect(parsePolicy({ workdir: '/app' })).toMatchObject({ home: '/workspace', workdir: '/app' });
  });
});

describe('mounts', () => {
  test('short and long form', () => {
    expect(
      parsePolicy({ mounts: ['/srv/a:/a', '/srv/b:/b:ro', '/srv/c:/c:rw', { source: '/srv/d', target: '/d' }] }).mounts,
    ).toEqual([
      { source: '/srv/a', target: '/a', readOnly: true },
      { source: '/srv/b', target: '/b', readOnly: true },
      { source: '/srv/c', target: '/c', readOnly: false },
      { source: '/srv/d', target: '/d', readOnly: true },
    ]);
  });

  test.each([
    '../x',
    'x',
    '',
    '~/x',
    '/srv/../etc',
    '/',
    '/etc',
    '/etc/ssl',
    '/proc',
    '/sys',
    '/dev/kvm',
    '/boot',
    '/run',
    '/var/run/docker.sock',
    '/srv/docker.sock',
    '/var',
    '/var/lib/docker/volumes',
    '/home/me/.ssh',
    '/home/me/.ssh/id_ed25519',
    '/root/.config/gcloud/x',
    '/srv/.npmrc',
    '/a\0b',
    5,
  ])('143: source is refused (%#)', (source) => {
    expect(problemPaths({ mounts: [{ source, target: '/x' }] })).toEqual(['mounts[0].source']);
  });

  test.each([
    '/',
    '/proc/self',
    '/dev',
    '/sys/x',
    '/.nanoclaw',
    '/.nanoclaw/runner',
    '/etc',
    '/etc/passwd',
    '/etc/group',
    'x',
    '',
    '/x/..',
  ])('144: target %j is refused', (target) => {
    expect(problemPaths({ mounts: [{ source: '/srv', target }] })).toEqual(['mounts[0].target']);
  });

  test('144: targets do not overlap, nor cover scratch', () => {
    expect(problemPaths({ mounts: ['/srv/a:/a', '/srv/b:/a'] })).toEqual(['mounts[1].target']);
    expect(problemPaths({ mounts: ['/srv/a:/a/b', '/srv/b:/a'] })).toEqual(['mounts[1].target']);
    expect(problemPaths({ mounts: ['/srv/a:/tmp'] })).toEqual(['mounts[0].target']);
    expect(parsePolicy({ mounts: ['/srv/a:/workspace/repository'] }).mounts.length).toBe(1);
  });

  test.each(['/srv', '/srv:/a:rx', '/srv:/a:ro:z', ':', '/srv:/a:'])('short form %j is refused', (mount) => {
    expect(problemPaths({ mounts: [mount] }).every((path) => path.startsWith('mounts[0]'))).toBe(true);
  });

  test('system directories are never writable', () => {
    expect(problemPaths({ mounts: ['/usr/share:/x:rw'] })).toEqual(['mounts[0].source']);
    expect(parsePolicy({ mounts: ['/usr/share:/x:ro'] }).mounts.length).toBe(1);
  });
});

describe('presets', () => {
  test.each(presetNames)('%s is valid', (preset) => {
    expect(parsePolicy(preset)).toEqual(parsePolicy({ preset }));
  });

  test('fields replace those of the preset', () => {
    expect(parsePolicy({ preset: 'openclaw', pids: 99 })).toEqual({ ...parsePolicy('openclaw'), pids: 99 });
    expect(problemPaths({ preset: 'openclaw', memory: '1g' })).toEqual(['memory']);
  });

  test('openclaw has room for a turn with a tool call', () => {
    expect(parsePolicy('openclaw')).toMatchObject({ memoryBytes: 1536 * mib, pids: 512, home: '/workspace' });
    expect(parsePolicy('openclaw').workingSetBytes).toBeGreaterThanOrEqual(1.3e9);
  });

  test('strict executes nothing that was written, shares nothing, relaxes nothing, and ends in a minute', () => {
    expect(parsePolicy('strict').scratch.map(({ executable }) => executable)).toEqual([false, false]);
    expect(
      problemPaths({
        preset: 'strict',
        execTimeout: '61s',
        relax: ['memory'],
        mounts: ['/srv/x:/x'],
        scratch: [{ path: '/workspace', size: '1m', executable: true }],
      }),
    ).toEqual(['execTimeout', 'scratch[0].executable', 'mounts', 'relax']);
    expect(parsePolicy({ preset: 'strict', execTimeout: '60s', memory: '1g' }).preset).toBe('strict');
  });
});

describe('properties', () => {
  const size = fc.oneof(
    fc.nat(2 ** 40),
    fc.tuple(fc.nat(4096), fc.constantFrom('', 'b', 'k', 'm', 'g', 't', 'mb')).map((parts) => parts.join('')),
  );
  const duration = fc.tuple(fc.nat(100_000), fc.constantFrom('ms', 's', 'm', 'h', '')).map((parts) => parts.join(''));
  const path = fc
    .array(fc.constantFrom('tmp', 'workspace', 'a', 'b', '..', 'proc', 'etc'), { maxLength: 3 })
    .map((parts) => `/${parts.join('/')}`);
  const plausible = fc.record(
    {
      preset: fc.constantFrom(...presetNames),
      user: fc.oneof(fc.constant('auto'), fc.record({ uid: fc.nat(70_000), gid: fc.nat(70_000) })),
      memory: size,
      workingSet: size,
      cpus: fc.double({ min: 0, max: 2000 }),
      cpuShares: fc.nat(300_000),
      pids: fc.nat(40_000),
      openFiles: fc.nat(2_000_000),
      scratch: fc.array(
        fc.record(
          { path, size, inodes: fc.nat(2_000_000), executable: fc.boolean() },
          { requiredKeys: ['path', 'size'] },
        ),
        { maxLength: 3 },
      ),
      sharedMemory: size,
      workdir: path,
      home: path,
      execTimeout: duration,
      lifetime: duration,
      idle: fc.oneof(duration, fc.constant('off')),
      isolation: fc.constantFrom(...isolationLevels),
      network: fc.constantFrom('none', 'fenced'),
      mounts: fc.array(fc.record({ source: path, target: path, readOnly: fc.boolean() }), { maxLength: 2 }),
      relax: fc.array(fc.constantFrom(...controlNames), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  // A valid policy is rare among plausible ones with many fields, so one or two fields change at a time, too.
  const few = fc
    .tuple(plausible, fc.subarray(Object.keys(policyFields), { maxLength: 3 }))
    .map(([input, keys]) => Object.fromEntries(Object.entries(input).filter(([key]) => keys.includes(key))));

  function parse(input: unknown): Policy | undefined {
    try {
      return parsePolicy(input);
    } catch (error) {
      if (!isNanoclawError(error) || error.code !== 'INVALID_POLICY' || error.details.problems?.length === 0)
        throw error;
      return undefined;
    }
  }

  test('nothing but INVALID_POLICY is ever thrown', () => {
    const hostile = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    const named = fc.dictionary(fc.constantFrom(...Object.keys(policyFields), '__proto__', 'x'), hostile);
    fc.assert(
      fc.property(fc.oneof(hostile, named, plausible), (input) => void parse(input)),
      { numRuns: 2_000 },
    );
  });

  test('a policy is within its bounds, obeys the memory rules, and is read back from what is shown of it', () => {
    let valid = 0;
    fc.assert(
      fc.property(fc.oneof(plausible, few), (input) => {
        const policy = parse(input);
        if (policy === undefined) return;
        valid += 1;
        const within = (value: number, minimum: number, maximum: number) =>
          expect(Number.isInteger(value) && value >= minimum && value <= maximum, `${value}`).toBe(true);
        within(policy.memoryBytes, 32 * mib, 2 ** 44);
        within(policy.cpuMillis, 10, 1_024_000);
        within(policy.cpuShares, 2, 262_144);
        within(policy.pids, 8, 32_768);
        within(policy.openFiles, 16, 1_048_576);
        within(policy.execTimeoutMs, 1, 86_400_000);
        within(policy.lifetimeMs, 1_000, 604_800_000);
        const temporary = policy.scratch.reduce((sum, { sizeBytes }) => sum + sizeBytes, policy.sharedMemoryBytes);
        expect(temporary * 2).toBeLessThanOrEqual(policy.memoryBytes);
        expect((temporary + policy.workingSetBytes) * 1.1).toBeLessThanOrEqual(policy.memoryBytes);
        for (const { inodes } of policy.scratch) within(inodes, 16, 1_048_576);
        expect(JSON.stringify(policy)).not.toContain('null');
        expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
        expect(parsePolicy(JSON.parse(JSON.stringify(formatPolicy(policy))))).toEqual(policy);
      }),
      { numRuns: 3_000 },
    );
    expect(valid).toBeGreaterThan(200);
  });

  test('every memory has a default policy', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 32 * mib, max: 2 ** 40 }),
        (memory) => parsePolicy({ memory }).memoryBytes <= memory,
      ),
    );
  });
});
