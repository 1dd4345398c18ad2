import type { Unsupported } from '@nanoclaw/core';

export function unsupported(reason: string, cure: string): Unsupported {
  return { supported: false, reason, cure };
}
