import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { presetNames } from '../../src/policy/policy-input.ts';
import { unrelaxable } from '../../src/policy/relax.ts';
import { policyFields } from '../../src/policy/schema.ts';
import { controlNames } from '../../src/runtime/controls.ts';

const page = readFileSync(new URL('../../../../docs/policy.md', import.meta.url), 'utf8');

test('docs/policy.md has a row for every field, and for no other', () => {
  const table = page.slice(page.indexOf('## Fields'), page.indexOf('### Scratch'));
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(rows).toEqual(Object.keys(policyFields));
});

test('docs/policy.md names every preset, and every control where it says whether it can be relaxed', () => {
  const presets = page.slice(page.indexOf('## Presets'), page.indexOf('## Relaxing'));
  for (const name of presetNames) expect(presets).toContain(`\`${name}\``);
  const [relaxable = '', floor = ''] = page
    .slice(page.indexOf('A relaxed control'), page.indexOf('## What becomes'))
    .split('Not to be relaxed');
  for (const name of controlNames) expect(unrelaxable.has(name) ? floor : relaxable).toContain(`\`${name}\``);
});
