import { isWithin, pathProblem } from './container-path.ts';

/** What `PATH` is where an image has none that can be used. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const localeNames: readonly string[] = [
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'LC_ADDRESS',
  'LC_COLLATE',
  'LC_CTYPE',
  'LC_IDENTIFICATION',
  'LC_MEASUREMENT',
  'LC_MESSAGES',
  'LC_MONETARY',
  'LC_NAME',
  'LC_NUMERIC',
  'LC_PAPER',
  'LC_TELEPHONE',
  'LC_TIME',
];

// A name of a locale or zone, never a path: glibc would read any file that TZ names.
const localeGrammar = /^[A-Za-z0-9][A-Za-z0-9_.@:-]{0,63}$/;
const zoneGrammar = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:\/[A-Za-z0-9_+-]{1,31}){0,2}$/;

/**
 * What is kept of an image's environment: `PATH` where every entry is an absolute, normalised path and none is
 * writable for the sandbox, the locale, and the time zone. Everything else is dropped, `LD_PRELOAD` as well as
 * `NODE_OPTIONS`: an image is a file system, it doesn't configure what starts in it.
 *
 * @param imageEnv `NAME=value`, as the image's configuration has it; where a name comes twice, the last counts.
 * @param writablePaths directories that the sandbox can write to.
 * @returns at least `PATH` and `LANG` (`C.UTF-8` where the image says nothing usable).
 */
export function imageEnvironment(
  imageEnv: readonly string[],
  writablePaths: readonly string[],
): Readonly<Record<string, string>> {
  const given = new Map<string, string>();
  for (const entry of imageEnv) {
    const separator = entry.indexOf('=');
    if (separator > 0) given.set(entry.slice(0, separator), entry.slice(separator + 1));
  }
  const result: Record<string, string> = { PATH: usablePath(given.get('PATH'), writablePaths), LANG: 'C.UTF-8' };
  for (const name of localeNames) {
    const value = given.get(name);
    if (value !== undefined && localeGrammar.test(value)) result[name] = value;
  }
  const zone = given.get('TZ');
  if (zone !== undefined && zoneGrammar.test(zone)) result.TZ = zone;
  return result;
}

function usablePath(path: string | undefined, writablePaths: readonly string[]): string {
  if (path === undefined || path.length > 4_096) return defaultPath;
  const usable = path
    .split(':')
    .every(
      (entry) =>
        entry !== '/' &&
        pathProblem(entry) === undefined &&
        !writablePaths.some((writable) => isWithin(entry, writable)),
    );
  return usable ? path : defaultPath;
}
