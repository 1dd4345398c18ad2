import { describe, expect, it } from 'vitest';
import { projectFiles, read } from '../architecture/support/repository.ts';
import { blocksIn } from './support/markdown.ts';

const page = 'README.md';
const text = read(page);

describe(page, () => {
  it('shows the quickstart of examples, to the letter', () => {
    const examples = projectFiles().filter((path) => /^examples\/(?:.*\/)?quickstart\.(?:ts|mts|mjs)$/.test(path));
    expect(examples).toHaveLength(1);
    const [example = ''] = examples;
    const language = example.endsWith('.mjs') ? ['js', 'mjs'] : ['ts'];
    const shown = blocksIn([page], language).map(({ code }) => code);
    expect(shown).toContain(read(example));
  });

  it('names the two commands, and package.json has them', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const command of ['start', 'test']) {
      expect(text).toContain(`npm ${command}`);
      expect(scripts[command]).toBeDefined();
    }
  });

  it('calls the command line as it is', () => {
    const calls = [...text.matchAll(/npx nanoclaw (\w+)([^\n`#]*)/g)];
    expect(calls.length).toBeGreaterThan(4);
    const wrong = calls.flatMap(([, command = '', rest = '']) => {
      const source = read(`packages/cli/src/commands/${command}.ts`);
      const options = rest.split(' -- ')[0]?.match(/(?<= )--[a-z-]+/g) ?? [];
      const subcommand = ['policy', 'bench'].includes(command) ? (rest.trim().split(' ')[0] ?? '') : command;
      const known = (word: string) => new RegExp(`['", ]${word}(?=['" ,])`).test(source);
      return [...options.filter((option) => !known(option)), ...(known(subcommand) ? [] : [subcommand])];
    });
    expect(wrong).toEqual([]);
  });

  it('has one place for measured figures', () => {
    expect(text.match(/<!-- figures -->/g)).toHaveLength(1);
    expect(text.indexOf('<!-- /figures -->')).toBeGreaterThan(text.indexOf('<!-- figures -->'));
  });

  it('is short', () => {
    expect(text.split('\n').length).toBeLessThanOrEqual(160);
  });

  it('says in which versions of Node the bootstrap and the packages run', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(text).toContain(engines.node.replace('>=', '').replace(/\.0$/, ''));
  });
});

describe('every page', () => {
  it('has no emoji', () => {
    const pages = projectFiles().filter((path) => path.endsWith('.md'));
    expect(pages.filter((path) => /\p{Emoji_Presentation}|\u{fe0f}/u.test(read(path)))).toEqual([]);
  });
});
