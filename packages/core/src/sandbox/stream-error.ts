import { createError, type ErrorCode, type NanoclawError } from '../errors/nanoclaw-error.ts';
import { StreamReset } from '../protocol/mux-stream.ts';
import { printable } from '../text.ts';

const fileCodes: Readonly<Record<string, ErrorCode>> = {
  'not-found': 'FILE_NOT_FOUND',
  'not-directory': 'FILE_NOT_FOUND',
  'no-space': 'NO_SPACE',
  refused: 'CONNECTION_REFUSED',
  'too-long': 'LIMIT_EXCEEDED',
  limit: 'LIMIT_EXCEEDED',
};

const commandCodes: Readonly<Record<string, ErrorCode>> = {
  'not-found': 'COMMAND_NOT_FOUND',
  'not-executable': 'COMMAND_NOT_EXECUTABLE',
  'permission-denied': 'COMMAND_NOT_EXECUTABLE',
  'is-directory': 'COMMAND_NOT_EXECUTABLE',
  'not-directory': 'COMMAND_NOT_FOUND',
  'bad-format': 'COMMAND_NOT_EXECUTABLE',
  'too-long': 'LIMIT_EXCEEDED',
  limit: 'LIMIT_EXCEEDED',
  invalid: 'INVALID_ARGUMENT',
};

/** The typed error for what ended a stream. The runner's text is quoted, escaped. */
export function toStreamError(
  error: NanoclawError | StreamReset | undefined,
  what: string,
  kind: 'command' | 'file',
): NanoclawError {
  if (error === undefined)
    return createError('ENGINE_ERROR', `${what}: the runner closed the stream without an answer.`);
  if (!(error instanceof StreamReset)) return error;
  const code = (kind === 'command' ? commandCodes : fileCodes)[error.code];
  return createError(
    code ?? (kind === 'command' ? 'ENGINE_ERROR' : 'FILE_REFUSED'),
    `${what}: ${printable(error.message, 500)}`,
  );
}
