import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));

// Tests run against the sources, so that a forgotten build can't make them lie. What is packed and published is
// tested by test/e2e/packages.test.ts.
export default defineConfig({
  resolve: {
    alias: {
      '@nanoclaw/core': source('core'),
      '@nanoclaw/driver-kit': source('driver-kit'),
      '@nanoclaw/driver-docker': source('driver-docker'),
      '@nanoclaw/runner': source('runner'),
    },
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: files that use the engine run beside each other, no more than two at a time.
    maxWorkers: 2,
  },
});
