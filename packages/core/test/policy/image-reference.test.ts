import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseImageReference } from '../../src/policy/image-reference.ts';
import { errorOf } from './support.ts';

const sha256 = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('145: image references', () => {
  test.each([
    ['busybox', 'busybox:latest'],
    ['python:3.13-slim', 'python:3.13-slim'],
    ['nanoclaw-test/python:3.11', 'nanoclaw-test/python:3.11'],
    ['ghcr.io/owner/image', 'ghcr.io/owner/image:latest'],
    ['GHCR.io/owner/image:V1', 'ghcr.io/owner/image:V1'],
    ['localhost/image', 'localhost/image:latest'],
    ['localhost:5000/a/b/c:tag', 'localhost:5000/a/b/c:tag'],
    ['registry:5000/image', 'registry:5000/image:latest'],
    ['[::1]:5000/image', '[::1]:5000/image:latest'],
    ['a_b/c__d/e--f/g.h', 'a_b/c__d/e--f/g.h:latest'],
    [`image@${sha256}`, `image@${sha256}`],
    [`image:1@${sha256}`, `image:1@${sha256}`],
    [sha256, sha256],
    [`image@sha512:${'a'.repeat(128)}`, `image@sha512:${'a'.repeat(128)}`],
  ])('%s', (input, canonical) => {
    expect(parseImageReference(input)).toBe(canonical);
    expect(parseImageReference(canonical)).toBe(canonical);
  });

  test.each([
    '--privileged',
    '-v/:/h',
    '-',
    '',
    ' ',
    'a b',
    ' a',
    'a ',
    '../../etc',
    './a',
    '/a',
    'a/',
    'a//b',
    'a/../b',
    'Ubuntu',
    'owner/Image',
    'Owner/image',
    'ghcr.io/Owner/image',
    'a\0b',
    'a\n',
    'a\nb',
    'a:tag\n',
    'a\r',
    'a:',
    'a:-tag',
    'a:tag:tag',
    `a:${'t'.repeat(129)}`,
    'a@',
    'a@sha256:abc',
    `a@sha256:${'A'.repeat(64)}`,
    `a@sha256:${'a'.repeat(63)}`,
    `a@md5:${'a'.repeat(32)}`,
    `a@${sha256}@${sha256}`,
    '0123456789abcdef'.repeat(4),
    'registry:0/image',
    'registry:70000/image',
    'registry:/image',
    '-registry.io/image',
    'registry-.io/image',
    'registry..io/image',
    'a__',
    '_a',
    'a___b',
    'a..b',
    'a._b',
    'a=b',
    'a;rm -rf /',
    '$(id)',
    'docker://image',
    'https://registry.io/image',
    'bücher',
    'раураl',
    'a'.repeat(256),
    'a'.repeat(4096),
    `${'a/'.repeat(200)}a`,
    undefined,
    null,
    5,
    {},
    ['a'],
  ])('what is none is refused (%#)', (input) => {
    const error = errorOf(() => parseImageReference(input));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(/^expected an image reference .* found /);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(400);
  });

  test('a reference never looks like an option, a path out, or more than one word', () => {
    const near = fc.string({
      unit: fc.constantFrom('a', 'B', '0', '-', '.', '_', '/', ':', '@', ' ', '\n', '\0', 'é'),
      maxLength: 20,
    });
    fc.assert(
      fc.property(near, (input) => {
        let reference: string;
        try {
          reference = parseImageReference(input);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
          return;
        }
        expect(reference).toMatch(/^[a-zA-Z0-9[][a-zA-Z0-9._:/@[\]-]*$/);
        expect(reference).not.toContain('..');
        expect(parseImageReference(reference)).toBe(reference);
      }),
      { numRuns: 5_000 },
    );
  });
});
