import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { describeEngine, dockerHost, testImages } from '../support/engine.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const env = { ...process.env, DOCKER_HOST: dockerHost(), NANOCLAW_IMAGE: testImages.python };

describeEngine('what newcomers see', () => {
  it('npm start ends with a script that works, what was attested, and attacks that fail', async () => {
    const { stdout, stderr } = await run(process.execPath, ['scripts/demo.mjs'], { cwd: root, env });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/(\d+) of \1 controls are as asked/);
    expect(stdout).toMatch(/size +[\d,]+ lines in \d+ files/);
    expect(stdout).toContain('4 of 4 stopped');
    expect(stdout).toContain('no such container any more');
    expect(stdout.split('\n').length).toBeLessThan(60);
  });

  it('the example of the README runs', async () => {
    const { stdout } = await run(process.execPath, ['examples/quickstart.mjs'], { cwd: root, env });
    expect(stdout).toContain("0 [('to', 2), ('be', 2)]\u0020");
    expect(stdout).toMatch(/\ncapabilities: no capability \(inside\)\n/);
  });
});
