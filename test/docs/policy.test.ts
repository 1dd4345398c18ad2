import { createRequire } from 'node:module';
import { join } from 'node:path';
import { controlNames, isNanoclawError, parsePolicy, presetNames } from '@nanoclaw/core';
import { describe, expect, it } from 'vitest';
import { policyFields } from '../../packages/core/src/policy/schema.ts';
import { read, root } from '../architecture/support/repository.ts';
import { blocksIn, type CodeBlock, markdownFiles } from './support/markdown.ts';

const page = 'docs/policy.md';

// The parser that the CLI reads policy files with; the root has none of its own.
const { parse } = createRequire(join(root, 'packages/cli/package.json'))('yaml') as { parse(text: string): unknown };

/** Every block of YAML in the docs is a policy; one whose fence says `refused` must not be taken. */
const blocks = blocksIn(
  markdownFiles.filter((path) => path.startsWith('docs/') || path === 'README.md'),
  ['yaml', 'yml'],
);

function refused({ words }: CodeBlock): boolean {
  return words.includes('refused');
}

describe(page, () => {
  it('has examples', () => {
    expect(blocks.filter(({ file }) => file === page).length).toBeGreaterThan(0);
  });

  it.each(blocks.filter((block) => !refused(block)))('has a policy that is valid at $file:$line', ({ code }) => {
    expect(() => parsePolicy(parse(code))).not.toThrow();
  });

  it.each(blocks.filter(refused))('has a policy that is refused at $file:$line', ({ code }) => {
    let error: unknown;
    try {
      parsePolicy(parse(code));
    } catch (caught) {
      error = caught;
    }
    expect(isNanoclawError(error) && error.code).toBe('INVALID_POLICY');
  });

  it.each(Object.keys(policyFields))('speaks of the field %s', (field) => {
    expect(read(page)).toContain(`\`${field}\``);
  });

  it.each(controlNames)('speaks of the control %s', (control) => {
    expect(read(page)).toContain(`\`${control}\``);
  });

  it.each(presetNames)('speaks of the preset %s', (preset) => {
    expect(read(page)).toContain(`\`${preset}\``);
  });
});
