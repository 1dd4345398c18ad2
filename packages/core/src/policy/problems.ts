import { createError, type ErrorCode, type NanoclawError } from '../errors/nanoclaw-error.ts';
import { quote } from './show.ts';

/** One thing that is wrong with an input, and where: `scratch[0].size`; the empty path is the input itself. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Receives the problems that a check finds. */
export type Report = (path: string, message: string) => void;

/** Collects problems in the order in which they are found; equal ones once, and no more than 100 in all. */
export class ProblemList {
  readonly #problems: Problem[] = [];
  readonly #seen = new Set<string>();

  readonly report: Report = (path, message) => {
    const key = `${path}\0${message}`;
    if (this.#seen.has(key) || this.#problems.length >= 100) return;
    this.#seen.add(key);
    this.#problems.push({ path, message });
  };

  get all(): readonly Problem[] {
    return this.#problems;
  }

  /** Whether a problem was found at this path or below it. */
  touches(path: string): boolean {
    return this.#problems.some(
      ({ path: at }) => at === '' || at === path || at.startsWith(`${path}.`) || at.startsWith(`${path}[`),
    );
  }
}

/** `['scratch', 0, 'size']` → `scratch[0].size`. */
export function formatPath(segments: readonly PropertyKey[]): string {
  let path = '';
  for (const segment of segments) {
    if (typeof segment === 'number') path += `[${segment}]`;
    else if (typeof segment === 'string' && /^[A-Za-z_][A-Za-z0-9_]{0,59}$/.test(segment)) {
      path += path === '' ? segment : `.${segment}`;
    } else path += `[${quote(String(segment))}]`;
  }
  return path;
}

/** An error whose message lists every problem. */
export function problemsError(code: ErrorCode, subject: string, problems: readonly Problem[]): NanoclawError {
  const lines = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const [first] = lines;
  const text =
    lines.length === 1 && first !== undefined
      ? `${subject} is not valid: ${first}`
      : `${subject} is not valid, ${lines.length} problems:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
  return createError(code, text, { problems });
}
