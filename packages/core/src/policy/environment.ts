import { copyPlainData } from './plain-data.ts';
import { formatPath, ProblemList, problemsError } from './problems.ts';
import { quote, show } from './show.ts';

/** How many variables an environment may have. */
export const maximumEnvironmentCount = 1_000;
/** How many bytes an environment may have in all, each variable as `NAME=value` and a NUL. */
export const maximumEnvironmentBytes = 128 * 1_024;

const nameGrammar = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;

/**
 * Checks the environment that a caller gives to a command: names are `[A-Za-z_][A-Za-z0-9_]*`, values are text without
 * NUL, at most 1,000 variables and 128 KiB in all. No name is refused for what a program makes of it: `PATH` or
 * `LD_PRELOAD` act on that command inside only, where its caller decides what runs anyway.
 *
 * @throws NanoclawError `INVALID_ARGUMENT`, whose `details.problems` lists every problem.
 */
export function parseEnvironment(input: unknown): Readonly<Record<string, string>> {
  const problems = new ProblemList();
  const { report } = problems;
  const copy = copyPlainData(input, report);
  const result: Record<string, string> = {};
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) {
    if (problems.all.length === 0) report('', `expected an object of names and values, found ${show(input)}`);
  } else {
    const entries = Object.entries(copy);
    if (entries.length > maximumEnvironmentCount) {
      report('', `expected at most ${maximumEnvironmentCount} variables, found ${entries.length}`);
    }
    let bytes = 0;
    for (const [name, value] of entries.slice(0, maximumEnvironmentCount)) {
      const at = formatPath([name]);
      if (!nameGrammar.test(name)) report(at, `expected a name of letters, digits and '_', found ${quote(name)}`);
      else if (typeof value !== 'string') report(at, `expected text, found ${show(value)}`);
      else if (value.includes('\0') || !value.isWellFormed()) {
        report(at, `expected text without NUL and lone surrogates, found ${quote(value)}`);
      } else {
        bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
        result[name] = value;
      }
    }
    if (bytes > maximumEnvironmentBytes) {
      report('', `expected at most ${maximumEnvironmentBytes} bytes in all, found ${bytes}`);
    }
  }
  if (problems.all.length > 0) throw problemsError('INVALID_ARGUMENT', 'the environment', problems.all);
  return Object.freeze(result);
}

/** Asserts what {@link parseEnvironment} checks, of an environment that is used as it is. */
export function assertEnvironment(input: unknown): asserts input is Readonly<Record<string, string>> {
  parseEnvironment(input);
}
