import type { ImageProgress } from '@nanoclaw/core';
import { complain, safe } from '../output.ts';

const everyMs = 5_000;
const redrawMs = 100;

/** Tells of a pull on stderr: one line that changes on a terminal, one line every five seconds elsewhere. */
export function showProgress(image: string): { update(progress: ImageProgress): void; done(): void } {
  const live = process.stderr.isTTY;
  let shownMs = 0;
  let drawn = false;
  return {
    update({ phase, message, completedBytes, totalBytes }) {
      const nowMs = performance.now();
      if (shownMs !== 0 && nowMs - shownMs < (live ? redrawMs : everyMs)) return;
      shownMs = nowMs;
      const share = totalBytes > 0 ? ` ${Math.floor((completedBytes / totalBytes) * 100)} %` : '';
      const text = safe(`${phase} ${image}:${share} ${message}`);
      if (live) process.stderr.write(`\r\x1b[K${text.slice(0, Math.max((process.stderr.columns ?? 80) - 1, 20))}`);
      else complain(text);
      drawn = live;
    },
    done() {
      if (drawn) process.stderr.write('\r\x1b[K');
    },
  };
}
