import { controlNames } from '@nanoclaw/core';
import { describe, expect, it } from 'vitest';
import { read } from '../architecture/support/repository.ts';
import { tableAfter } from './support/markdown.ts';

const page = 'docs/threat-model.md';
const rows = tableAfter(page, '## What is defended');

describe(page, () => {
  it.each(controlNames)('has the control %s against some attack', (control) => {
    const defences = rows
      .map(([, defence = '']) => defence.split(/[^\w-]+/))
      .filter((words) => words.includes(control));
    expect(defences).not.toEqual([]);
  });

  it('names for every attack a control and what shows it', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((cells) => cells.length !== 3 || cells.some((cell) => cell === ''))).toEqual([]);
  });

  it.each(['Prompt injection', 'shared kernel', 'Side channels', 'Denial of service', 'runc'])(
    'says plainly that it does not defend from: %s',
    (subject) => {
      expect(read(page).split('## What is not defended')[1]).toContain(subject);
    },
  );
});
