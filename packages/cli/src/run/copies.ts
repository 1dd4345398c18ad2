import { mkdir, stat } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import { type CopySummary, createError, isNanoclawError, type NanoclawError, type Sandbox } from '@nanoclaw/core';
import type { Copy } from './request.ts';

export interface CopyOutcome extends Copy {
  readonly copied?: CopySummary;
  readonly error?: NanoclawError;
}

/** Copies into the sandbox, as `cp -r` does: a file whose target is a directory keeps its name. */
export async function copyIn(sandbox: Sandbox, { source, target }: Copy, signal: AbortSignal): Promise<void> {
  const isFile = (await stat(source)).isFile();
  const into = isFile && (await isDirectoryInside(sandbox, target));
  await sandbox.upload(source, into ? posix.join(target, basename(source)) : target, { signal });
}

async function isDirectoryInside(sandbox: Sandbox, path: string): Promise<boolean> {
  try {
    return (await sandbox.stat(path)).type === 'directory';
  } catch (error) {
    if (isNanoclawError(error) && error.code === 'FILE_NOT_FOUND') return false;
    throw error;
  }
}

/** Copies out whatever can be; what can't says why. A sandbox that is gone has nothing to give any more. */
export async function copyOut(sandbox: Sandbox, copies: readonly Copy[], signal: AbortSignal): Promise<CopyOutcome[]> {
  const outcomes: CopyOutcome[] = [];
  for (const copy of copies) {
    try {
      if (copy.target.endsWith('/')) await mkdir(copy.target, { recursive: true });
      outcomes.push({ ...copy, copied: await sandbox.download(copy.source, copy.target, { signal }) });
    } catch (error) {
      const typed = isNanoclawError(error)
        ? error
        : createError('FILE_REFUSED', String(error), { path: copy.target }, error);
      outcomes.push({ ...copy, error: typed });
    }
  }
  return outcomes;
}
