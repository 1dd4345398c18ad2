import { projectFiles, read } from '../../architecture/support/repository.ts';

/** A fenced block of code. */
export interface CodeBlock {
  readonly file: string;
  /** The line of its first line of code, counted from 1. */
  readonly line: number;
  /** First word after the fence, e.g. `ts`. */
  readonly language: string;
  /** The other words after the fence. */
  readonly words: readonly string[];
  readonly code: string;
}

export const markdownFiles: readonly string[] = projectFiles().filter((path) => path.endsWith('.md'));

interface Split {
  readonly blocks: readonly CodeBlock[];
  /** The text without its blocks, line for line, so that line numbers stay. */
  readonly prose: string;
}

/** Tells the blocks of a page from its prose. */
export function split(file: string, text = read(file)): Split {
  const blocks: CodeBlock[] = [];
  const prose: string[] = [];
  let open: { fence: string; indent: number; line: number; info: readonly string[]; code: string[] } | undefined;
  text.split('\n').forEach((line, index) => {
    const mark = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line);
    if (open === undefined && mark !== null) {
      const [, indent = '', fence = '', info = ''] = mark;
      open = { fence, indent: indent.length, line: index + 2, info: info.trim().split(/\s+/), code: [] };
      prose.push('');
    } else if (open === undefined) {
      prose.push(line);
    } else if (mark !== null && mark[3] === '' && (mark[2] ?? '').startsWith(open.fence)) {
      const [language = '', ...words] = open.info;
      blocks.push({ file, line: open.line, language, words, code: `${open.code.join('\n')}\n` });
      open = undefined;
      prose.push('');
    } else {
      open.code.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)));
      prose.push('');
    }
  });
  if (open !== undefined) throw new Error(`${file}:${open.line}: a block of code is not closed`);
  return { blocks, prose: prose.join('\n') };
}

export function blocksIn(files: readonly string[], languages: readonly string[]): readonly CodeBlock[] {
  return files.flatMap((file) => split(file).blocks).filter(({ language }) => languages.includes(language));
}

/** Headings of a page with their level, as written. */
export function headingsOf(file: string): readonly { readonly level: number; readonly text: string }[] {
  return [...split(file).prose.matchAll(/^(#{1,6})\s+(.+?)\s*#*$/gm)].map(([, marks = '', text = '']) => ({
    level: marks.length,
    text,
  }));
}

/** The names by which a page's headings are linked to, as code hosts make them. */
export function anchorsOf(file: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const { text } of headingsOf(file)) {
    const plain = text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let unique = slug;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${slug}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Targets of a page's links and images, with their lines. */
export function linksOf(file: string): readonly { readonly target: string; readonly line: number }[] {
  return split(file)
    .prose.split('\n')
    .flatMap((text, index) => {
      const withoutCode = text.replace(/`[^`]*`/g, (code) => ' '.repeat(code.length));
      const inline = [...withoutCode.matchAll(/\]\(\s*<?([^()\s<>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
      const reference = [...withoutCode.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/g)];
      return [...inline, ...reference].map(([, target = '']) => ({ target, line: index + 1 }));
    });
}

/** Rows of the first table after a heading or text, as cells without backquotes. */
export function tableAfter(file: string, text: string): readonly (readonly string[])[] {
  const { prose } = split(file);
  const start = prose.indexOf(text);
  if (start < 0) throw new Error(`${file} has no ${JSON.stringify(text)}`);
  const lines = prose.slice(start).split('\n').slice(1);
  const first = lines.findIndex((line) => line.startsWith('|'));
  const table = lines.slice(first);
  const end = table.findIndex((line) => !line.startsWith('|'));
  return table.slice(2, end < 0 ? undefined : end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}
