/** One line of `/proc/self/mountinfo`. */
export interface MountEntry {
  readonly target: string;
  readonly type: string;
  /** Path within the mounted filesystem. */
  readonly root: string;
  readonly readOnly: boolean;
  readonly options: readonly string[];
}

/** Parses the text; a line that is not understood becomes an entry of type `?`, so that it can't hide. */
export function parseMountInfo(text: string): readonly MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): MountEntry {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [, , , root, target, options] = fields;
  const type = separator === -1 ? undefined : fields[separator + 1];
  if (root === undefined || target === undefined || options === undefined || type === undefined) {
    return { target: line, type: '?', root: '?', readOnly: false, options: [] };
  }
  const list = options.split(',');
  // The superblock may be read-only where the mount is not.
  const superOptions = fields[separator + 3]?.split(',') ?? [];
  return {
    target: unescapePath(target),
    type,
    root: unescapePath(root),
    readOnly: list.includes('ro') || superOptions.includes('ro'),
    options: list,
  };
}

/** The kernel writes space, tab, newline and backslash as octal. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
