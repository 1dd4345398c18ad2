import { errorCodes, type GoneReason } from '@nanoclaw/core';
import { describe, expect, it } from 'vitest';
import { headingsOf, split, tableAfter } from './support/markdown.ts';

const page = 'docs/errors.md';
const codes = Object.keys(errorCodes);

/** The text below a code's heading. */
function section(code: string): string {
  return split(page).prose.split(new RegExp(`^## ${code}$`, 'm'))[1]?.split(/^## /m)[0] ?? '';
}

/** Complete by type: a new reason does not compile until it stands here, and then the page needs it too. */
const reasons: Readonly<Record<GoneReason, true>> = {
  'out-of-memory': true,
  lifetime: true,
  destroyed: true,
  engine: true,
  host: true,
};

describe(page, () => {
  it('has a heading for every code, and for nothing that is none', () => {
    const documented = headingsOf(page)
      .filter(({ level, text }) => level === 2 && /^[A-Z_]+$/.test(text))
      .map(({ text }) => text);
    expect(documented).toEqual(codes);
  });

  it.each(codes)('says of %s what it means, when, what to do, and how the command exits', (code) => {
    const text = section(code);
    for (const label of ['**Meaning.**', '**When.**', '**What to do.**', '**Exit code.**', '**Retryable.**']) {
      expect(text).toContain(label);
    }
  });

  it.each(Object.entries(errorCodes))('says rightly whether %s is retryable', (code, { retryable }) => {
    expect(section(code)).toMatch(retryable ? /\*\*Retryable\.\*\* Yes/ : /\*\*Retryable\.\*\* No/);
  });

  it('lists every reason of SANDBOX_GONE', () => {
    expect(tableAfter(page, '## SANDBOX_GONE').map(([reason]) => reason)).toEqual(Object.keys(reasons));
  });
});
