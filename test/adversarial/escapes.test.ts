import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@nanoclaw/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';
import { assertUsable, expectRefused, failure, Lab, payloads, pids, runPayload, sleep } from './support/lab.ts';
import { killFromOutside } from './support/unhardened.ts';

const everySignal = Array.from({ length: 64 }, (_, index) => index + 1).filter((signal) => signal !== 15);
const python = (script: string): string[] => ['python3', '-B', '-c', script];

describeEngine('ways out of a sandbox', () => {
  const lab = new Lab();
  let sandbox: Sandbox;
  let isGone = true;

  /** One sandbox for all, until a case ends it. */
  beforeEach(async () => {
    if (!isGone) return;
    const fresh = await lab.sandbox();
    isGone = false;
    void fresh.gone.then(() => {
      if (fresh === sandbox) isGone = true;
    });
    sandbox = fresh;
  });

  afterAll(async () => {
    await sandbox?.destroy();
    await lab.assertRecovered();
    await lab[Symbol.asyncDispose]();
  });

  describe('17 signal-pid1', () => {
    it.each(everySignal.flatMap((signal) => [{ signal, through: 'kill' }]))(
      'signal $signal has no effect',
      async ({ signal, through }) => {
        const said = await sandbox.exec(['python3', '-B', `${payloads}/signals.py`, String(signal), through]);
        // glibc keeps 32 and 33 for itself, and Python refuses to send them.
        expect(['ok:lives', 'EINVAL']).toContain(said.stdout.trim());
        if (said.stdout.trim() === 'EINVAL') expect([32, 33]).toContain(signal);
      },
    );

    it.each([9, 19, 11, 1, 3])('signal %i has no effect through a pidfd nor on each thread', async (signal) => {
      for (const through of ['pidfd', 'thread']) {
        const said = await sandbox.exec(['python3', '-B', `${payloads}/signals.py`, String(signal), through]);
        expect(said.stdout).toBe('ok:lives\n');
      }
    });

    it('leaves the sandbox usable', () => assertUsable(sandbox));

    it('TERM ends this sandbox only, with a typed error for whoever waits and whoever comes', async () => {
      const victim = await lab.sandbox();
      const waiting = failure(victim.exec(['sleep', '30']));
      const killing = victim.exec(['sh', '-c', 'kill -TERM 1; sleep 30']).then(
        () => undefined,
        (error: unknown) => error,
      );
      for (const error of [await waiting, await killing, await failure(victim.exec(['true'])), await victim.gone]) {
        expect(error).toMatchObject({ code: 'SANDBOX_GONE', details: { reason: 'engine' } });
      }
      await victim.destroy();
      await assertUsable(sandbox);
    });
  });

  describe('13 freezing and starving PID 1', () => {
    it('ends a command in time, and the sandbox too, though a payload took the CPU from PID 1', async () => {
      const starved = await lab.sandbox();
      try {
        const began = performance.now();
        const outcome = await starved
          .exec(['python3', '-B', `${payloads}/starve.py`, 'cpu'], { timeoutMs: 2_000 })
          .then(
            (result) => result.timedOut,
            (error: { code: string }) => error.code,
          );
        expect(outcome).toBe(true);
        // Before the host would give the sandbox up, which is 5 s after the deadline.
        expect(performance.now() - began).toBeLessThan(20_000);
        expect(await pids(starved)).toEqual([1]);
        const destroying = performance.now();
        await starved.destroy();
        expect(performance.now() - destroying).toBeLessThan(20_000);
      } finally {
        // As root of this host: a test that fails must not leave a hundred processes spinning.
        await killFromOutside(dockerHost(), starved.containerId);
        await starved.destroy().catch(() => undefined);
      }
    });

    it('ends a command in time though a payload took the open files from PID 1', async () => {
      await using blinded = await lab.sandbox();
      const script =
        'import os, resource, time\nfor limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_AS):\n  try: resource.prlimit(1, limit, (0, 0))\n  except OSError: pass\nfor _ in range(5): os.fork()\nos.setsid() if os.getpid() != os.getpgid(0) else None\nprint("on", flush=True)\nwhile True: time.sleep(1)';
      const outcome = await blinded.exec(python(script), { timeoutMs: 1_500 }).then(
        (result) => result.timedOut,
        (error: { code: string }) => error.code,
      );
      expect(outcome).toBe(true);
      expect(await pids(blinded)).toEqual([1]);
    });

    it('is not held up by a payload that stops every process as soon as it is forked', async () => {
      await using stopped = await lab.sandbox();
      const stopper = stopped.exec(['python3', '-B', `${payloads}/starve.py`, 'stop', '4'], { timeoutMs: 10_000 });
      const ended = await Promise.all(
        Array.from({ length: 12 }, () =>
          stopped.exec(['true'], { timeoutMs: 1_500 }).then((result) => result.timedOut || result.exitCode === 0),
        ),
      );
      expect(ended).toEqual(Array.from({ length: 12 }, () => true));
      expect(await stopper).toMatchObject({ exitCode: 0, timedOut: false });
      await assertUsable(stopped);
    });
  });

  describe('what an image brings', () => {
    it('2 suid-binary: keeps its uid', async () => {
      const image = await lab.build('suid', [
        'RUN cp /bin/cat /usr/local/bin/rootcat && chown 0:0 /usr/local/bin/rootcat && chmod 6755 /usr/local/bin/rootcat',
      ]);
      await using other = await lab.sandbox({}, image.reference);
      const file = await other.stat('/usr/local/bin/rootcat');
      expect({ uid: file.uid, mode: file.mode }).toEqual({ uid: 0, mode: 0o6755 });
      const { stdout, exitCode } = await other.exec(['/usr/local/bin/rootcat', '/proc/self/status']);
      expect(exitCode).toBe(0);
      const { stdout: own } = await other.exec(['id', '-u']);
      const uid = own.trim();
      expect(stdout).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
      expect(stdout).toMatch(/^NoNewPrivs:\t1$/m);
      expect(stdout).toMatch(/^CapEff:\t0{16}$/m);
    });

    it('42 CVE-2024-21626: its working directory counts for nothing', async () => {
      const image = await lab.build('workdir', ['WORKDIR /proc/self/fd/7']);
      expect(image.config.workdir).toBe('/proc/self/fd/7');
      await using other = await lab.sandbox({}, image.reference);
      expect((await other.exec(['pwd'])).stdout).toBe('/workspace\n');
      const cwd = await other.exec(['sh', '-c', 'cat ../../../../../../../../etc/hostname; ls -la ..']);
      expect(cwd.stdout).toContain('sandbox');
    });

    it('45, 152: its console link, user, entrypoint, environment, health check and labels count for nothing', async () => {
      const image = await lab.build('config', [
        'RUN mkdir -p /marks && chmod 777 /marks',
        'USER 0:0',
        'ENV LD_PRELOAD=/nowhere/evil.so PYTHONSTARTUP=/evil NODE_OPTIONS=--require=/evil BASH_ENV=/evil EVIL=1',
        'ENTRYPOINT ["/bin/sh", "-c", "echo entrypoint; exec sleep 600"]',
        'CMD ["evil"]',
        'HEALTHCHECK --interval=1s CMD touch /marks/healthcheck /workspace/healthcheck',
        'STOPSIGNAL SIGKILL',
        'LABEL nanoclaw.managed=false nanoclaw.uid=0',
        'EXPOSE 80',
      ]);
      await using other = await lab.sandbox({}, image.reference);
      await sleep(1_500);
      const { stdout } = await other.exec(['env']);
      const names = stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(names.sort()).toEqual(['HOME', 'LANG', 'LOGNAME', 'PATH', 'USER']);
      expect(Number((await other.exec(['id', '-u'])).stdout)).toBeGreaterThan(0);
      expect(await pids(other)).toEqual([1]);
      await expectRefused(other.stat('/workspace/healthcheck'), 'FILE_NOT_FOUND');
      await expectRefused(other.stat('/dev/console'), 'FILE_NOT_FOUND');
      expect((await other.list('/marks')).map((file) => file.name)).toEqual([]);
    });

    it('84 disk-volume: its volumes are empty and read-only, or refused', async () => {
      const covered = await lab.build('volume', [
        'RUN mkdir /data && chmod 777 /data && echo x > /data/x',
        'VOLUME /data',
      ]);
      await using other = await lab.sandbox({}, covered.reference);
      const { stdout } = await other.exec([
        'sh',
        '-c',
        'ls -A /data; touch /data/y || true; grep " /data " /proc/self/mountinfo',
      ]);
      expect(stdout).toMatch(/ \/data ro,/);
      expect(stdout).toMatch(/ - tmpfs /);
      expect(stdout.split('\n')).not.toContain('x');
      const overlapping = await lab.build('volume-etc', ['VOLUME /etc']);
      await expectRefused(lab.sandbox({}, overlapping.reference), 'IMAGE_UNUSABLE');
      const runner = await lab.build('volume-runner', ['VOLUME /.nanoclaw']);
      await expectRefused(lab.sandbox({}, runner.reference), 'IMAGE_UNUSABLE');
    });

    it('41: a script whose interpreter is /proc/self/exe runs no more than the runner as a command', async () => {
      const script = '/workspace/self';
      await sandbox.writeFile(script, '#!/proc/self/exe\n', { mode: 0o755 });
      for (const argv of [[script], ['/proc/self/exe'], ['/.nanoclaw/runner'], ['/proc/self/exe', '-h']]) {
        const outcome = await sandbox
          .exec(argv, { timeoutMs: 3_000, input: 'not a frame, and long enough to be read as one' })
          .then(
            (result) => (result.stdout === '' ? 'silent' : result.stdout),
            (error: { code: string }) => error.code,
          );
        expect(['silent', 'COMMAND_NOT_EXECUTABLE', 'COMMAND_NOT_FOUND']).toContain(outcome);
      }
      await assertUsable(sandbox);
    });
  });

  describe('42 CVE-2024-21626: a working directory below /proc', () => {
    it.each([
      '/proc/self/fd/7',
      '/proc/self/fd/8/..',
      '/proc',
      '/proc/1/root',
      '/sys',
      '/dev/fd/7',
      '//proc/self/fd/7',
      '/workspace/../proc/self/fd/7',
    ])('is refused in a policy: %s', async (workdir) => {
      await expectRefused(lab.sandbox({ workdir }), 'INVALID_POLICY');
    });

    it.each([
      '/proc/self/fd/7',
      '/proc/1/cwd',
      '/proc',
      '../proc/self/fd/0',
      '/dev/fd/5',
      '//proc/self/fd/5',
      '/workspace/../proc/1/root',
      'link',
      'deep/link',
    ])('leads a command nowhere: %s', async (cwd) => {
      const links =
        'import os\nfor p in ("link", "deep/link"):\n  os.makedirs("/workspace/" + os.path.dirname(p), exist_ok=True)\n  os.path.lexists("/workspace/" + p) or os.symlink("/proc/self/fd/5", "/workspace/" + p)';
      expect((await sandbox.exec(python(links))).exitCode).toBe(0);
      const outcome = await sandbox.exec(['pwd', '-P'], { cwd }).then(
        (result) => `ran in ${result.stdout.trim()}`,
        (error: { code: string }) => error.code,
      );
      // Where it does start, that is a directory of the container.
      expect(outcome).toMatch(/^(INVALID_ARGUMENT|COMMAND_NOT_FOUND|COMMAND_NOT_EXECUTABLE|FILE_NOT_FOUND|ran in \/)/);
      const inside = await sandbox
        .exec(['cat', '/proc/self/cwd/../../../../../../etc/hostname'], { cwd })
        .catch(() => undefined);
      if (inside !== undefined && inside.exitCode === 0) expect(inside.stdout).toBe('sandbox\n');
    });
  });

  describe('43 CVE-2024-21626: file descriptors', () => {
    const list =
      'import os\nfor f in sorted(os.listdir("/proc/self/fd"), key=int):\n  try: print(f, os.readlink("/proc/self/fd/" + f))\n  except OSError: pass';
    it.each([
      { name: 'exec', options: {} },
      { name: 'exec with input', options: { input: 'x' } },
      { name: 'exec in a terminal', options: { pty: true } },
    ])('$name has three', async ({ options }) => {
      const { stdout } = await sandbox.exec(python(list), options);
      const files = stdout
        .trim()
        .split(/\r?\n/)
        .map((line) => line.split(' '));
      expect(files.map(([number]) => number)).toEqual(['0', '1', '2']);
      for (const [, target] of files) expect(target).toMatch(/^(pipe:|socket:|\/dev\/null$|\/dev\/pts\/)/);
    });

    it('many at once leak nothing to each other', async () => {
      const results = await Promise.all(Array.from({ length: 24 }, () => sandbox.exec(python(list))));
      for (const { stdout } of results) expect(stdout.trim().split('\n')).toHaveLength(3);
    });
  });

  describe('38 tty', () => {
    it('TIOCSTI and TIOCLINUX are refused in a terminal too', async () => {
      const names = ['TIOCSTI', 'TIOCLINUX', 'TIOCSTI with upper bits', 'TIOCLINUX with upper bits'];
      const result = await sandbox.exec(['python3', '-B', `${payloads}/kernel_surface.py`, ...names], { pty: true });
      expect(JSON.parse(result.stdout)).toEqual(Object.fromEntries(names.map((name) => [name, 'EPERM'])));
    });

    it('has no console, and its terminal is its own', async () => {
      const { stdout } = await sandbox.exec(['sh', '-c', 'tty; ls /dev/console; ls -1 /dev/pts'], { pty: true });
      expect(stdout).toMatch(/^\/dev\/pts\/\d+\r\n/);
      expect(stdout).toContain("cannot access '/dev/console'");
      expect(stdout.split('\r\n').filter((line) => /^\d+$/.test(line))).toHaveLength(1);
      const second = await sandbox.exec(['tty']);
      expect(second.stdout).toBe('not a tty\n');
    });
  });

  describe('37 link-escape', () => {
    beforeEach(async () => {
      await sandbox.remove('/workspace/out', { recursive: true });
    });

    it('refuses what is a link, or leaves it out, and makes none', async () => {
      await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'plant', '/workspace/out']);
      const target = join(await lab.directory(), 'copy');
      await expectRefused(sandbox.download('/workspace/out', target), 'FILE_REFUSED');
      await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' });
      await sandbox.writeFile('/workspace/out/real', 'mine');
      await sandbox.download('/workspace/out', target, { links: 'skip' });
      expect(await readdir(target)).toEqual(['real']);
    });

    it.each(['input', 'output', 'environ', 'mem', 'kcore', 'loop', 'zero', 'terminal', 'files', 'proc1', 'shadow'])(
      'reads nothing of the runner or the kernel through a link called %s',
      async (name) => {
        await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'plant', '/workspace/out']);
        const target = join(await lab.directory(), 'copy');
        const codes = ['FILE_REFUSED', 'FILE_NOT_FOUND'] as const;
        await expectRefused(sandbox.readFile(`/workspace/out/${name}`, { maxBytes: 65_536 }), ...codes);
        await expectRefused(sandbox.download(`/workspace/out/${name}`, target, { maxBytes: 65_536 }), ...codes);
        await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' });
        await assertUsable(sandbox);
      },
    );

    it.each(['input', 'output', 'mem', 'terminal', 'shadow', 'runner', 'zero'])(
      'writes nothing through a link called %s',
      async (name) => {
        await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'plant', '/workspace/out']);
        const path = `/workspace/out/${name}`;
        const outcome = await sandbox.writeFile(path, 'forgery').then(
          () => 'replaced',
          (error: { code: string }) => error.code,
        );
        expect(['replaced', 'FILE_REFUSED']).toContain(outcome);
        // Either the link itself was replaced by a file, or it stands as it did.
        const entry = await sandbox.stat(path, { followSymlinks: false });
        expect(entry.type).toBe(outcome === 'replaced' ? 'file' : 'symlink');
        await assertUsable(sandbox);
      },
    );

    it.each(['files', 'proc1', 'root'])(
      'makes and removes nothing below a link called %s that a command could not',
      async (name) => {
        await sandbox.exec(['python3', '-B', `${payloads}/links.py`, 'plant', '/workspace/out']);
        const source = await lab.directory();
        await writeFile(join(source, 'x'), 'x');
        const codes = ['FILE_REFUSED', 'FILE_NOT_FOUND'] as const;
        await expectRefused(sandbox.writeFile(`/workspace/out/${name}/etc/x`, 'x'), ...codes);
        await expectRefused(sandbox.mkdir(`/workspace/out/${name}/new`), ...codes);
        await expectRefused(sandbox.upload(source, `/workspace/out/${name}`), ...codes);
        await expectRefused(sandbox.remove(`/workspace/out/${name}/etc`, { recursive: true }), ...codes);
        await assertUsable(sandbox);
        expect((await sandbox.exec(['cat', '/etc/hostname'])).stdout).toBe('sandbox\n');
      },
    );

    it('is not led out of the directory while it is swapped for a link', async () => {
      const swapping = await sandbox.spawn(['python3', '-B', `${payloads}/links.py`, 'swap', '/workspace/out', '30']);
      await new Promise((resolve) => swapping.stdout.once('data', resolve));
      const host = await lab.directory();
      let whole = 0;
      for (let round = 0; round < 60; round += 1) {
        const target = join(host, String(round));
        const result = await sandbox.download('/workspace/out', target, { links: 'skip' }).then(
          () => 'copied',
          (error: { code: string }) => error.code,
        );
        expect(['copied', 'FILE_REFUSED', 'FILE_NOT_FOUND']).toContain(result);
        if (result !== 'copied') continue;
        whole += 1;
        const found = await readdir(target, { recursive: true, withFileTypes: true });
        const names = new Set(found.map((entry) => entry.name));
        expect([...names].filter((name) => !['d', 'link', 'x', 'deep', 'a', 'b'].includes(name))).toEqual([]);
        expect(found.filter((entry) => !entry.isFile() && !entry.isDirectory())).toEqual([]);
      }
      expect(whole).toBeGreaterThan(5);
      await swapping[Symbol.asyncDispose]();
    });

    it('writes through no link that lies at its target on the host, nor over what is there', async () => {
      const host = await lab.directory();
      const sentinel = join(host, 'sentinel');
      await writeFile(sentinel, 'untouched');
      await mkdir(join(host, 'outside'));
      const target = join(host, 'target');
      await mkdir(target);
      await symlink(sentinel, join(target, 'evil'));
      await symlink(join(host, 'outside'), join(target, 'dir'));
      await sandbox.exec([
        'sh',
        '-c',
        'mkdir -p /workspace/out/dir; echo gotcha > /workspace/out/evil; echo gotcha > /workspace/out/dir/x',
      ]);
      await expectRefused(sandbox.download('/workspace/out', target), 'FILE_REFUSED');
      await expectRefused(sandbox.download('/workspace/out/dir', join(target, 'dir')), 'FILE_REFUSED');
      expect(await readFile(sentinel, 'utf8')).toBe('untouched');
      expect(await readdir(join(host, 'outside'))).toEqual([]);
      expect((await readdir(target)).sort()).toEqual(['dir', 'evil']);
    });

    it('takes a hard link as the file that it is', async () => {
      await sandbox.exec([
        'sh',
        '-c',
        'mkdir /workspace/out; echo one > /workspace/out/a; ln /workspace/out/a /workspace/out/b; ln /etc/shadow /workspace/out/c',
      ]);
      const target = join(await lab.directory(), 'copy');
      await sandbox.download('/workspace/out', target);
      expect((await readdir(target)).sort()).toEqual(['a', 'b']);
      expect(await readFile(join(target, 'b'), 'utf8')).toBe('one\n');
      await writeFile(join(target, 'a'), 'two');
      expect(await readFile(join(target, 'b'), 'utf8')).toBe('one\n');
    });
  });

  describe('40 cross-sandbox', () => {
    it('shows one nothing of another, though both run at once', async () => {
      await using one = await lab.sandbox();
      await using other = await lab.sandbox();
      await using living = await one.spawn(['python3', '-B', `${payloads}/neighbour.py`, 'live']);
      const first = await new Promise<Buffer>((resolve) => living.stdout.once('data', resolve));
      expect(JSON.parse(first.toString())).toMatchObject({ made: [true, true, true] });
      const found = await runPayload<object>(other, 'neighbour', 'look');
      expect(found).toEqual({
        processes: [],
        reached: [],
        abstract: 'ConnectionRefusedError',
        tcp: 'ConnectionRefusedError',
        files: [],
        shm: -1,
        queue: -1,
        mqueue: [],
        unix: 0,
      });
      // The same eyes see it all where it is: so they can see.
      const own = await runPayload<Record<string, unknown>>(one, 'neighbour', 'look');
      expect(own).toMatchObject({
        abstract: 'connected',
        tcp: 'connected',
        files: ['/workspace', '/tmp', '/dev/shm'],
        mqueue: ['neighbour'],
      });
      expect(own.shm).not.toBe(-1);
      expect(own.reached).not.toEqual([]);
      expect((await living.wait()).exitCode).toBe(42);
    });

    it('gives no two the same user, and each its own namespaces', async () => {
      const sandboxes = await Promise.all(Array.from({ length: 3 }, () => lab.sandbox()));
      const facts = await Promise.all(
        sandboxes.map((each) =>
          each.exec(['sh', '-c', 'id -u; for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done']),
        ),
      );
      const lines = facts.map(({ stdout }) => stdout.trim().split('\n'));
      const all = lines.flat();
      expect(all).toHaveLength(21);
      expect(new Set(all).size).toBe(21);
      await Promise.all(sandboxes.map((each) => each.destroy()));
    });
  });

  describe('51 old-runtime', () => {
    it('is warned of where the engine says runc is older than its last escapes', async () => {
      const { details, warnings } = await lab.runtime.capabilities({ signal: AbortSignal.timeout(10_000) });
      const version = /^(\d+)\.(\d+)\.(\d+)/.exec(details.runc ?? '');
      expect(version).not.toBeNull();
      const [major, minor, patch] = (version ?? []).slice(1).map(Number);
      const isOld =
        major === 1 && (Number(minor) < 2 || (minor === 2 && Number(patch) < 8) || (minor === 3 && Number(patch) < 3));
      expect(warnings.some((warning) => warning.includes('CVE-2025-52881'))).toBe(isOld);
    });
  });

  describe('what the policy cannot say', () => {
    let before: number;
    beforeAll(async () => {
      before = await lab.containers();
    });
    afterEach(async () => expect(await lab.containers()).toBe(before));

    it.each([
      { mounts: ['/:/host'] },
      { mounts: ['/etc:/mnt'] },
      { mounts: ['/var/run/docker.sock:/run/docker.sock'] },
      { mounts: ['/proc:/mnt'] },
      { mounts: ['/tmp/../etc:/mnt'] },
      { mounts: [{ source: '/tmp', target: '/proc/self' }] },
      { mounts: [{ source: '/tmp', target: '/.nanoclaw' }] },
      { mounts: [{ source: '/tmp', target: '/' }] },
      { user: '0:0' },
      { privileged: true },
      { capAdd: ['SYS_ADMIN'] },
      { network: 'host' },
      { seccomp: 'unconfined' },
      { pids: 0 },
      { pids: -7 },
      { memory: '64mb' },
      { memory: -1 },
    ])('is refused before anything starts: %j', async (policy) => {
      const options = { runtime: lab.runtime, image: testImages.busybox, policy: policy as never };
      await expectRefused(createSandbox(options), 'INVALID_POLICY');
    });

    it('refuses a directory of the host that a link leads to', async () => {
      const host = await lab.directory();
      await symlink('/etc', join(host, 'etc'));
      await symlink('/', join(host, 'root'));
      for (const name of ['etc', 'root']) {
        const policy = { mounts: [`${join(host, name)}:/mnt`] };
        await expectRefused(
          createSandbox({ runtime: lab.runtime, image: testImages.busybox, policy }),
          'INVALID_POLICY',
        );
      }
    });

    it.each([
      '--privileged',
      '-v/:/h',
      'a b',
      '../../etc',
      'Upper',
      'x@sha256:0',
      'nul\0',
      'new\nline',
      'x'.repeat(4_096),
    ])('refuses an image called %j', async (image) => {
      await expectRefused(createSandbox({ runtime: lab.runtime, image }), 'INVALID_ARGUMENT');
    });
  });
});
