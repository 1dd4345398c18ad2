import { once } from 'node:events';
import { expect, it } from 'vitest';
import { run, says } from '../support/cli.ts';
import { describeEngine } from '../support/engine.ts';

/** Says `ready`, then goes on for ever; what comes on SIGINT is up to the caller. */
const loop = (onInterrupt: string): string[] => [
  '--',
  'sh',
  '-c',
  `trap '${onInterrupt}' INT; echo ready; while :; do sleep 0.05; done`,
];

describeEngine('nanoclaw run, interrupted', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s destroys the sandbox at once and exits %i', async (signal, code) => {
    const result = await run(loop('echo caught'), {
      during: async (child) => {
        await says(child.stdout, 'ready');
        child.kill(signal);
      },
    });
    expect(result).toMatchObject({ code, signal: null, left: [] });
    expect(result.stdout.toString()).toBe('ready\n');
  });

  it('SIGINT goes to the command, whose answer counts', async () => {
    const result = await run(loop('echo caught; exit 5'), {
      during: async (child) => {
        await says(child.stdout, 'ready');
        child.kill('SIGINT');
      },
    });
    expect(result).toMatchObject({ code: 5, signal: null, left: [] });
    expect(result.stdout.toString()).toBe('ready\ncaught\n');
    expect(result.stderr).toMatch(/^nanoclaw: [^\n]*once more destroys the sandbox\n$/);
  });

  it('SIGINT ends a command that does nothing about it: 130', async () => {
    const result = await run(['--', 'sh', '-c', 'echo ready; exec sleep 30'], {
      during: async (child) => {
        await says(child.stdout, 'ready');
        child.kill('SIGINT');
      },
    });
    expect(result).toMatchObject({ code: 130, left: [] });
  });

  it('takes signals that come together for one, since terminals and npx both send them', async () => {
    const result = await run(loop('echo caught; exit 5'), {
      during: async (child) => {
        await says(child.stdout, 'ready');
        for (let repeat = 0; repeat < 3; repeat += 1) child.kill('SIGINT');
      },
    });
    expect(result).toMatchObject({ code: 5, left: [] });
  });

  it('a second SIGINT destroys the sandbox at once: 130', async () => {
    const result = await run(loop(''), {
      during: async (child) => {
        await says(child.stdout, 'ready');
        child.kill('SIGINT');
        await says(child.stderr, 'once more');
        await new Promise((resolve) => setTimeout(resolve, 300));
        child.kill('SIGINT');
      },
    });
    expect(result).toMatchObject({ code: 130, left: [] });
  });

  it.each([0, 50, 100, 150, 200, 250, 300, 350, 400, 500])(
    'leaves nothing where SIGTERM comes during the start, after %i ms',
    async (delayMs) => {
      const result = await run(['--', 'sleep', '30'], {
        env: { NANOCLAW_LOG: 'debug' },
        during: async (child) => {
          // The first event is written when signals are watched and the engine is being asked.
          await says(child.stderr, 'runtime chosen');
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          child.kill('SIGTERM');
        },
      });
      expect(result).toMatchObject({ code: 143, left: [] });
    },
  );

  it('ends the command where nobody reads the output any more, as SIGPIPE would: 141', async () => {
    const result = await run(['--', 'yes'], {
      during: async (child) => {
        await says(child.stdout, 'y\n');
        child.stdout?.destroy();
      },
    });
    expect(result).toMatchObject({ code: 141, stderr: '', left: [] });
  });

  it('survives a reader that takes nothing for a while, and loses nothing', async () => {
    const result = await run(['--', 'dd', 'if=/dev/zero', 'bs=1M', 'count=20'], {
      during: async (child) => {
        child.stdout?.pause();
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        child.stdout?.resume();
      },
    });
    expect(result).toMatchObject({ code: 0, left: [] });
    expect(result.stdout).toHaveLength(20 << 20);
  });

  it('ends at the second SIGINT although a reader has stopped', async () => {
    const result = await run(['--', 'yes'], {
      during: async (child) => {
        await says(child.stdout, 'y\n');
        child.stdout?.pause();
        await new Promise((resolve) => setTimeout(resolve, 500));
        child.kill('SIGINT');
        await says(child.stderr, 'once more');
        await new Promise((resolve) => setTimeout(resolve, 300));
        child.kill('SIGINT');
        await once(child, 'exit');
        child.stdout?.resume();
      },
    });
    expect(result.code ?? result.signal).toBeOneOf([130, 'SIGINT']);
    expect(result.left).toEqual([]);
  });
});
