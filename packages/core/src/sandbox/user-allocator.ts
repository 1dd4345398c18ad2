import { randomInt } from 'node:crypto';
import { createError } from '../errors/nanoclaw-error.ts';
import type { RuntimeCapabilities } from '../runtime/capabilities.ts';

/**
 * Uids in use by sandboxes of this process. Each sandbox has its own, because RLIMIT_NPROC and much else is shared by
 * equal uids. Drawn at random, so that processes that know nothing of each other seldom meet; core checks with the engine after the start.
 */
const used = new Set<number>();

/** Takes a free uid of the engine's range; give it back with {@link releaseUser}. Throws `LIMIT_EXCEEDED` where none is left. */
export function allocateUser(range: RuntimeCapabilities['userRange']): { readonly uid: number; readonly gid: number } {
  const start = randomInt(range.count);
  for (let step = 0; step < range.count; step += 1) {
    const uid = range.first + ((start + step) % range.count);
    if (!used.has(uid)) {
      used.add(uid);
      return { uid, gid: uid };
    }
  }
  throw createError('LIMIT_EXCEEDED', `All ${range.count} user ids for sandboxes are in use; destroy some sandboxes.`);
}

export function releaseUser(uid: number): void {
  used.delete(uid);
}
