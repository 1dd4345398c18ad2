import { randomBytes } from 'node:crypto';
import { type ControlName, createSandbox } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';
import { afterAll, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';
import { type CreateBody, type Lies, startLyingEngine } from '../support/lying-engine.ts';

/** Tells this file's sandboxes from those of the tests beside it. */
const labels = { 'nanoclaw-test.liar': randomBytes(6).toString('hex') };

/** An engine that leaves out or changes one thing, and the control under whose name it must be refused. */
interface Case {
  readonly control: ControlName;
  /** The name under which the engine's own inspect tells it, where that is another one. */
  readonly alsoAs?: ControlName;
  readonly what: string;
  readonly create: (body: CreateBody) => void;
}

const host = (body: CreateBody): CreateBody => body.HostConfig;

/** What is seen from inside, also where the engine's inspect claims otherwise. */
const insideCases: readonly Case[] = [
  {
    control: 'user',
    what: 'runs as root',
    create: (body) => {
      body.User = '0:0';
    },
  },
  {
    control: 'user',
    what: 'adds a group',
    create: (body) => {
      host(body).GroupAdd = ['4'];
    },
  },
  {
    control: 'capabilities',
    what: 'drops no capability',
    create: (body) => {
      host(body).CapDrop = [];
    },
  },
  {
    control: 'no-new-privileges',
    what: 'leaves no_new_privs off',
    create: (body) => {
      host(body).SecurityOpt = host(body).SecurityOpt.filter((option: string) => !option.startsWith('no-new'));
    },
  },
  {
    control: 'seccomp',
    what: 'loads no profile',
    create: (body) => {
      host(body).SecurityOpt = ['no-new-privileges', 'seccomp=unconfined'];
    },
  },
  {
    control: 'seccomp',
    what: 'loads its own default profile',
    create: (body) => {
      host(body).SecurityOpt = ['no-new-privileges'];
    },
  },
  {
    control: 'read-only-root',
    what: 'makes the root writable',
    create: (body) => {
      host(body).ReadonlyRootfs = false;
    },
  },
  {
    control: 'scratch',
    what: 'gives /workspace another size',
    create: (body) => {
      host(body).Tmpfs['/workspace'] = host(body).Tmpfs['/workspace'].replace(/size=\d+/, 'size=1073741824');
    },
  },
  {
    control: 'scratch',
    what: 'gives /tmp more inodes',
    create: (body) => {
      host(body).Tmpfs['/tmp'] = host(body).Tmpfs['/tmp'].replace(/nr_inodes=\d+/, 'nr_inodes=1000000');
    },
  },
  {
    control: 'scratch',
    what: 'lets programs run in /tmp',
    create: (body) => {
      host(body).Tmpfs['/tmp'] = host(body).Tmpfs['/tmp'].replace('noexec', 'exec');
    },
  },
  {
    control: 'scratch',
    what: 'makes /dev/shm larger',
    create: (body) => {
      host(body).Tmpfs['/dev/shm'] = host(body).Tmpfs['/dev/shm'].replace(/size=\d+/, 'size=67108864');
    },
  },
  {
    control: 'mounts',
    what: 'mounts a directory of the host',
    create: (body) => {
      host(body).Binds = ['/etc:/mnt:ro'];
    },
  },
  {
    control: 'mounts',
    alsoAs: 'scratch',
    what: 'adds a scratch directory',
    create: (body) => {
      host(body).Tmpfs['/extra'] = 'rw';
    },
  },
  {
    control: 'masked-paths',
    what: 'masks nothing',
    create: (body) => {
      host(body).MaskedPaths = [];
    },
  },
  {
    control: 'devices',
    what: 'adds a device',
    create: (body) => {
      host(body).Devices = [{ PathOnHost: '/dev/net/tun', PathInContainer: '/dev/net/tun', CgroupPermissions: 'rwm' }];
    },
  },
  {
    control: 'memory',
    what: 'sets no memory limit',
    create: (body) => {
      host(body).Memory = 0;
      host(body).MemorySwap = 0;
    },
  },
  {
    control: 'swap',
    what: 'allows swap',
    create: (body) => {
      host(body).MemorySwap = host(body).Memory * 2;
    },
  },
  {
    control: 'cpu',
    what: 'sets no quota',
    create: (body) => {
      host(body).CpuQuota = 0;
      host(body).CpuPeriod = 0;
    },
  },
  {
    control: 'cpu-shares',
    what: 'sets no shares',
    create: (body) => {
      host(body).CpuShares = 0;
    },
  },
  {
    control: 'pids',
    what: 'sets no process limit',
    create: (body) => {
      host(body).PidsLimit = 0;
    },
  },
  {
    control: 'open-files',
    what: 'sets a lower limit than asked',
    create: (body) => {
      host(body).Ulimits = [
        { Name: 'nofile', Soft: 100, Hard: 100 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ];
    },
  },
  {
    control: 'network',
    what: 'gives it the network of the host',
    create: (body) => {
      host(body).NetworkMode = 'host';
      body.NetworkDisabled = false;
    },
  },
  {
    control: 'pid-namespace',
    what: 'shares the pid namespace',
    create: (body) => {
      host(body).PidMode = 'host';
    },
  },
  {
    control: 'uts-namespace',
    what: 'shares the uts namespace',
    create: (body) => {
      host(body).UTSMode = 'host';
      body.Hostname = '';
    },
  },
  {
    control: 'cgroup-namespace',
    what: 'shares the cgroup namespace',
    create: (body) => {
      host(body).CgroupnsMode = 'host';
    },
  },
  {
    control: 'image-config',
    what: 'lets a variable of the image through',
    create: (body) => {
      body.Env.push('LD_PRELOAD=/workspace/evil.so');
    },
  },
];

/** What only the engine can show: its inspect is believed, so it is honest here. */
const engineCases: readonly Case[] = [
  {
    control: 'ipc-namespace',
    what: 'makes IPC shareable',
    create: (body) => {
      host(body).IpcMode = 'shareable';
    },
  },
  {
    control: 'output-log',
    what: 'logs the output',
    create: (body) => {
      host(body).LogConfig = { Type: 'json-file', Config: {} };
    },
  },
  {
    control: 'removal',
    what: 'keeps what has exited',
    create: (body) => {
      host(body).AutoRemove = false;
    },
  },
  {
    control: 'core-dumps',
    what: 'allows core dumps',
    create: (body) => {
      host(body).Ulimits = host(body).Ulimits.filter((limit: CreateBody) => limit.Name !== 'core');
    },
  },
  {
    control: 'open-files',
    what: 'sets no limit for open files',
    create: (body) => {
      host(body).Ulimits = host(body).Ulimits.filter((limit: CreateBody) => limit.Name !== 'nofile');
    },
  },
];

async function refusal(lies: Lies): Promise<unknown> {
  await using engine = await startLyingEngine(dockerHost(), lies);
  const runtime = createDockerRuntime({ host: engine.host });
  try {
    const sandbox = await createSandbox({ runtime, image: testImages.busybox, labels });
    await sandbox.destroy();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await runtime.close();
  }
}

describeEngine('an engine that does not do what it is asked', () => {
  const honest = createDockerRuntime({ host: dockerHost() });
  afterAll(() => honest.close());

  it('is not suspected when it does (the proxy alone changes nothing)', async () => {
    expect(await refusal({})).toBeUndefined();
  });

  describe.each([
    { says: 'and says that it did', hides: true, cases: insideCases },
    { says: 'and says so', hides: false, cases: [...insideCases, ...engineCases] },
  ])('$says', ({ hides, cases }) => {
    it.each(cases)('is refused for $control when it $what', async ({ control, alsoAs, create }) => {
      const error = await refusal({ create, hides });
      expect(error).toMatchObject({ code: 'POLICY_NOT_ENFORCED' });
      const { details } = error as { details: { differences: { control: string }[] } };
      const named = details.differences.map((difference) => difference.control);
      expect(named.includes(control) || named.includes(alsoAs ?? control)).toBe(true);
    });
  });

  it('is refused for a warning on creation', async () => {
    const error = await refusal({
      warnings: ['Your kernel does not support memory limit capabilities. Limitation discarded.'],
    });
    expect(error).toMatchObject({ code: 'POLICY_NOT_ENFORCED' });
    expect(String(error)).toContain('memory');
  });

  it('leaves nothing behind', async () => {
    expect(await honest.list(labels, { signal: AbortSignal.timeout(5_000) })).toEqual([]);
  });
});
