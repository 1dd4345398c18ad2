import { describe, expect, it } from 'vitest';
import { requiredProbes } from '../../packages/core/src/attestation/checks.ts';
import {
  frameTypes,
  headerBytes,
  maxDataBytes,
  maxMessageBytes,
  maxOpenBytes,
  protocolVersion,
} from '../../packages/core/src/protocol/frame.ts';
import { reportSchema } from '../../packages/core/src/protocol/messages.ts';
import { read } from '../architecture/support/repository.ts';
import { blocksIn, tableAfter } from './support/markdown.ts';

const page = 'docs/protocol.md';
const text = read(page);

describe(page, () => {
  it('lists the frame types with their numbers', () => {
    const documented = tableAfter(page, '## Frames').map(([type = '', name = '']) => [
      name.toLowerCase(),
      Number(type),
    ]);
    expect(Object.fromEntries(documented)).toEqual(frameTypes);
    expect(documented).toHaveLength(Object.keys(frameTypes).length);
  });

  it('draws the header at its length', () => {
    const [drawing] = blocksIn([page], ['']).filter(({ code }) => code.includes('length (u32)'));
    expect(drawing?.code.split('\n')[0]?.match(/\d+/g)?.at(-1)).toBe(String(headerBytes));
  });

  it.each([maxDataBytes, maxMessageBytes, maxOpenBytes])('states the limit of %i bytes', (limit) => {
    expect(text).toContain(`${limit.toLocaleString('en-US')} bytes`);
  });

  it('is about the version that is spoken', () => {
    expect(text).toContain(`# The runner protocol, version ${protocolVersion}\n`);
    expect(text).toContain(`"protocol":${protocolVersion},`);
  });

  it('shows the report with every member that is read, and no other', () => {
    const [report] = blocksIn([page], ['']).filter(({ code }) => code.includes('"mountInfo"'));
    // Members stand one level deep: what is in brackets or braces of its own is not theirs.
    let depth = 0;
    let top = '';
    for (const character of report?.code ?? '') {
      if (character === '{' || character === '[') depth += 1;
      if (depth === 1) top += character;
      if (character === '}' || character === ']') depth -= 1;
    }
    const members = [...top.matchAll(/"(\w+)"\s*:/g)].map(([, name]) => name);
    expect(members.toSorted()).toEqual(Object.keys(reportSchema.shape).toSorted());
  });

  it('names the probes that the attestation asks for', () => {
    const paragraph = text.split('\n\n').find((part) => part.startsWith('Probes are calls')) ?? '';
    const named = [...paragraph.slice(paragraph.indexOf('):')).matchAll(/`([\w-]+)`/g)].map(([, name]) => name);
    expect(named.toSorted()).toEqual([...requiredProbes].toSorted());
  });
});
