import type { Readable } from 'node:stream';
import type { ImageProgress } from '@nanoclaw/core';
import { member, readJsonLines, textMember } from './docker-json-lines.ts';

export interface EnsureImageOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImageProgress) => void;
}

/** Reads a progress stream to its end; an error in it is thrown, since the HTTP status was told before. */
export async function follow(
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
  onValue: (value: unknown) => void,
): Promise<void> {
  const readable = stream as Readable;
  const onAbort = (): void => {
    readable.destroy(new DOMException('The call was given up.', 'AbortError'));
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  let failure: string | undefined;
  try {
    await readJsonLines(readable, (value) => {
      failure ??= textMember(value, 'errorDetail', 'message') ?? textMember(value, 'error');
      if (member(value, 'error') === undefined) onValue(value);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  signal.throwIfAborted();
  if (failure !== undefined) throw new Error(failure);
}
