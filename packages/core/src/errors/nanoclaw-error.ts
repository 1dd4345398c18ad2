import type { ControlName } from '../runtime/controls.ts';

/**
 * What went wrong, named by what the caller should do next. `docs/errors.md` has a heading per code.
 * `retryable` says whether the same call may succeed later without a change.
 */
export const errorCodes = {
  INVALID_POLICY: { retryable: false },
  INVALID_ARGUMENT: { retryable: false },
  ENGINE_UNAVAILABLE: { retryable: true },
  ENGINE_ERROR: { retryable: true },
  IMAGE_NOT_FOUND: { retryable: false },
  IMAGE_UNUSABLE: { retryable: false },
  BUILD_FAILED: { retryable: false },
  CONTROL_UNSUPPORTED: { retryable: false },
  POLICY_NOT_ENFORCED: { retryable: false },
  START_FAILED: { retryable: true },
  RUNNER_MISSING: { retryable: false },
  PROTOCOL_VIOLATION: { retryable: false },
  SANDBOX_GONE: { retryable: false },
  TIMEOUT: { retryable: true },
  ABORTED: { retryable: false },
  COMMAND_NOT_FOUND: { retryable: false },
  COMMAND_NOT_EXECUTABLE: { retryable: false },
  FILE_NOT_FOUND: { retryable: false },
  FILE_REFUSED: { retryable: false },
  NO_SPACE: { retryable: false },
  CONNECTION_REFUSED: { retryable: true },
  LIMIT_EXCEEDED: { retryable: false },
  NOT_SUPPORTED: { retryable: false },
} as const satisfies Record<string, { readonly retryable: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

/** One way in which a container is not what the policy asked for. */
export interface ControlDifference {
  readonly control: ControlName;
  readonly expected: string;
  readonly found: string;
}

/** Why a sandbox is gone. */
export type GoneReason = 'out-of-memory' | 'lifetime' | 'destroyed' | 'engine' | 'host';

export interface ErrorDetails {
  /** Problems of a policy or of arguments, each with its path (`scratch[0].size`). */
  readonly problems?: readonly { readonly path: string; readonly message: string }[];
  readonly differences?: readonly ControlDifference[];
  readonly control?: ControlName;
  readonly cure?: string;
  readonly reason?: GoneReason;
  readonly path?: string;
  /** What was slow, for `TIMEOUT`. */
  readonly operation?: string;
  readonly timeoutMs?: number;
}

const brand = Symbol.for('nanoclaw.error');

/** Every error that NanoClaw raises on purpose. Recognise it with {@link isNanoclawError}, which works across copies of the package. */
export class NanoclawError extends Error {
  override readonly name = 'NanoclawError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: ErrorDetails;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = errorCodes[code].retryable;
    this.details = details;
  }
}

/**
 * Makes an error. The message says what was expected, what was found, where, and what to do next.
 */
export function createError(code: ErrorCode, message: string, details?: ErrorDetails, cause?: unknown): NanoclawError {
  return new NanoclawError(code, message, details, cause);
}

export function isNanoclawError(value: unknown): value is NanoclawError {
  return typeof value === 'object' && value !== null && brand in value;
}
