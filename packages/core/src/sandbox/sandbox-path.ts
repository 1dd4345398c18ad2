import { createError } from '../errors/nanoclaw-error.ts';
import { printable } from '../text.ts';

/** A path inside the sandbox: text, or bytes where it is no UTF-8. Relative ones are relative to `/workspace`. */
export type SandboxPath = string | Uint8Array;

/** The members of a request for a path. Throws `INVALID_ARGUMENT`. */
export function toWirePath(path: SandboxPath): { readonly path: string } | { readonly pathBase64: string } {
  const isText = typeof path === 'string';
  if (
    (!isText && !(path instanceof Uint8Array)) ||
    path.length === 0 ||
    path.length > 4_096 ||
    path.includes((isText ? '\0' : 0) as never)
  ) {
    throw createError('INVALID_ARGUMENT', 'path: expected 1 to 4096 characters or bytes without NUL.', {
      path: 'path',
    });
  }
  return isText ? { path } : { pathBase64: Buffer.from(path).toString('base64') };
}

export function showPath(path: SandboxPath): string {
  return printable(typeof path === 'string' ? path : Buffer.from(path).toString('utf8'), 200);
}

/** A name that the sandbox gave: text where it is UTF-8, with the bytes beside it. */
export function fromWireName(base64: string): { readonly name: string; readonly nameBytes: Buffer } {
  const nameBytes = Buffer.from(base64, 'base64');
  return { name: nameBytes.toString('utf8'), nameBytes };
}
