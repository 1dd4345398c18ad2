import { readFile, stat } from 'node:fs/promises';
import { createError, formatPolicy, type Policy, type PolicyInput, parsePolicy, presetNames } from '@nanoclaw/core';
import { messageOf } from './output.ts';

const maximumFileBytes = 1_048_576;

/** Reads `--policy`: the name of a preset, or a YAML or JSON file. Nothing is checked but that it can be read. */
export async function readPolicySource(source: string): Promise<unknown> {
  return presetNames.some((name) => name === source) ? { preset: source } : readPolicyFile(source);
}

/**
 * What a policy file says. Throws `INVALID_ARGUMENT` where there is no such file, `INVALID_POLICY` (with the line) where it is
 * neither YAML nor JSON.
 */
export async function readPolicyFile(path: string): Promise<unknown> {
  const text = await readText(path);
  // Loaded here only: most runs name a preset or nothing.
  const { parseDocument } = await import('yaml');
  // JSON is YAML, but for tabs, which YAML refuses as indentation.
  const document = parseDocument(path.endsWith('.json') ? text.replaceAll('\t', '  ') : text, { uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings].map(({ message, linePos }) => {
    const [first = ''] = message.split('\n');
    return {
      path: linePos === undefined ? '' : `line ${linePos[0].line}`,
      message: first.replace(/ at line \d+, column \d+:?$/, ''),
    };
  });
  if (problems.length === 0) {
    try {
      return document.toJS({ maxAliasCount: 50 }) as unknown;
    } catch (error) {
      problems.push({ path: '', message: messageOf(error) });
    }
  }
  const lines = problems.map((problem) =>
    problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`,
  );
  throw createError('INVALID_POLICY', `${path} is neither YAML nor JSON: ${lines.join('; ')}`, { problems, path });
}

/** The policy of a source with `overrides` on top, complete and valid. Throws `INVALID_POLICY`, naming the source. */
export async function loadPolicy(source: string, overrides: PolicyInput = {}): Promise<Policy> {
  const written = await readPolicySource(source);
  try {
    return parsePolicy(withOverrides(written, overrides));
  } catch (error) {
    if (written === undefined || presetNames.some((name) => name === source)) throw error;
    throw inFile(source, error);
  }
}

function withOverrides(written: unknown, overrides: PolicyInput): unknown {
  if (Object.keys(overrides).length === 0) return written;
  if (typeof written === 'string') return { preset: written, ...overrides };
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return written;
  const mounts = Reflect.get(written, 'mounts') as unknown;
  return {
    ...written,
    ...overrides,
    ...(overrides.mounts !== undefined && Array.isArray(mounts)
      ? { mounts: [...(mounts as unknown[]), ...overrides.mounts] }
      : {}),
    ...lifetimeFor(written, overrides),
  };
}

/** A sandbox of `run` lives for one command: where nobody set a lifetime, `--timeout` decides it. */
function lifetimeFor(written: object, { execTimeout }: PolicyInput): PolicyInput {
  if (execTimeout === undefined || Object.hasOwn(written, 'lifetime')) return {};
  try {
    const needed = parsePolicy({ execTimeout, lifetime: '168h' }).execTimeoutMs + 60_000;
    const { lifetimeMs } = parsePolicy({});
    return needed > lifetimeMs ? { lifetime: `${needed}ms` } : {};
  } catch {
    // Not valid anyway: the policy's own check says so.
    return {};
  }
}

/** The input that a checked policy came from, for `createSandbox`. */
export function toPolicyInput(policy: Policy): PolicyInput {
  return formatPolicy(policy);
}

function inFile(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'INVALID_POLICY') return error;
  const details =
    'details' in error && typeof error.details === 'object' && error.details !== null ? error.details : {};
  return createError('INVALID_POLICY', `${path}: ${error.message}`, { ...details, path }, error);
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maximumFileBytes) {
      throw createError(
        'INVALID_ARGUMENT',
        `The policy file ${path} has ${size} bytes; expected at most ${maximumFileBytes}.`,
        { path },
      );
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'INVALID_ARGUMENT') throw error;
    const presets = presetNames.map((name) => `'${name}'`).join(', ');
    const why = code === 'ENOENT' ? `there is no such file, and the presets are ${presets}` : messageOf(error);
    throw createError('INVALID_ARGUMENT', `Can't read the policy '${path}': ${why}.`, { path }, error);
  }
}
