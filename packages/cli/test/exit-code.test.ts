import { createError } from '@nanoclaw/core';
import { describe, expect, it } from 'vitest';
import { exitCodeOfEnd, exitCodeOfError } from '../src/exit-code.ts';

const end = { exitCode: 0, signal: null, timedOut: false, oomKilled: false, durationMs: 1 };

describe('exitCodeOfEnd', () => {
  it.each([
    [{}, 0],
    [{ exitCode: 77 }, 77],
    [{ exitCode: null, signal: 'SIGTERM' }, 143],
    [{ exitCode: null, signal: 'SIG34' }, 162],
    [{ exitCode: null, signal: 'SIGKILL', timedOut: true }, 124],
    [{ exitCode: null, signal: 'SIGKILL', oomKilled: true }, 137],
    [{ exitCode: 1, oomKilled: true }, 137],
    [{ exitCode: 0, oomKilled: true }, 0],
  ])('%j is %i', (part, code) => {
    expect(exitCodeOfEnd({ ...end, ...part })).toBe(code);
  });
});

describe('exitCodeOfError', () => {
  it.each([
    [createError('COMMAND_NOT_FOUND', ''), 127],
    [createError('COMMAND_NOT_EXECUTABLE', ''), 126],
    [createError('SANDBOX_GONE', '', { reason: 'out-of-memory' }), 137],
    [createError('SANDBOX_GONE', '', { reason: 'lifetime' }), 124],
    [createError('SANDBOX_GONE', '', { reason: 'engine' }), 125],
    [createError('ENGINE_UNAVAILABLE', ''), 125],
    [new TypeError('a bug'), 125],
  ])('%s', (error, code) => {
    expect(exitCodeOfError(error, 'run')).toBe(code);
    expect(exitCodeOfError(error, 'ps')).toBe(1);
  });
});
