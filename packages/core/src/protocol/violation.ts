import { createError, type NanoclawError } from '../errors/nanoclaw-error.ts';

/** The runner sent something that the protocol does not allow. Text of the runner's must not get in unescaped. */
export function violation(what: string): NanoclawError {
  return createError(
    'PROTOCOL_VIOLATION',
    `The runner inside the sandbox broke the protocol: ${what}. The sandbox was destroyed; whatever ran in it may have taken over the runner.`,
  );
}
