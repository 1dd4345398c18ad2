import { createError, type ErrorCode, errorCodes, type GoneReason } from '@nanoclaw/core';
import { describe, expect, it } from 'vitest';
import { exitCodeOfError } from '../../packages/cli/src/exit-code.ts';
import { headingsOf, split, tableAfter } from './support/markdown.ts';

const page = 'docs/errors.md';
const codes = Object.keys(errorCodes) as ErrorCode[];

/** The text below a code's heading. */
function section(code: string): string {
  return (
    split(page)
      .prose.split(new RegExp(`^## ${code}$`, 'm'))[1]
      ?.split(/^## /m)[0] ?? ''
  );
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

  it.each(codes)('says how `nanoclaw run` exits for %s', (code) => {
    const stated = /\*\*Exit code\.\*\* (\d+)/.exec(section(code))?.[1];
    expect(Number(stated)).toBe(exitCodeOfError(createError(code, ''), 'run'));
  });

  it('lists every reason of SANDBOX_GONE, with its exit code', () => {
    const documented = tableAfter(page, '## SANDBOX_GONE').map(([reason, , , exitCode]) => [reason, Number(exitCode)]);
    const actual = (Object.keys(reasons) as GoneReason[]).map((reason) => {
      return [reason, exitCodeOfError(createError('SANDBOX_GONE', '', { reason }), 'run')];
    });
    expect(documented).toEqual(actual);
  });
});
