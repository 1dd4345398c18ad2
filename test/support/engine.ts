import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

/** What `test/host/up` left for us: the variables that reach the engines. The process's own environment comes first. */
function hostVariable(name: string): string | undefined {
  const own = process.env[name];
  if (own !== undefined && own !== '') return own;
  try {
    const file = fileURLToPath(new URL('../host/.run/env', import.meta.url));
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((candidate) => candidate.startsWith(`${name}=`));
    return line?.slice(name.length + 1);
  } catch {
    return undefined;
  }
}

/** `none` is how a developer (or the bootstrap, where no engine can be had) says that engine tests are not to run. */
const found = process.env.NANOCLAW_TEST_ENGINE === 'none' ? undefined : hostVariable('DOCKER_HOST');

if (found === undefined && process.env.CI && process.env.NANOCLAW_TEST_ENGINE !== 'none') {
  throw new Error('No Docker engine for the tests: run test/host/up first. Under CI a missing engine is a failure.');
}

/** The engine of the tests. Only to be called inside {@link describeEngine}. */
export function dockerHost(): string {
  return found ?? '';
}

/** Tests that need a real engine: reported as skipped, by name, on a machine without one. */
export const describeEngine = describe.skipIf(found === undefined);

/** Local images that `test/host/up` loads. */
export const testImages = { busybox: 'nanoclaw-test/busybox:1', python: 'nanoclaw-test/python:3.11' } as const;
