import { createError } from '../errors/nanoclaw-error.ts';
import { show } from './show.ts';

// The grammar of OCI distribution references (github.com/distribution/reference), stricter in two places: a registry's
// name has a dot or a port or is `localhost`, and digests are the two algorithms that the OCI image specification registers.
const maximumLength = 1_024;
const maximumNameLength = 255;
const domainGrammar =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]{2,39}\])(?::(\d{1,5}))?$/;
const componentGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagGrammar = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestGrammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Checks an image reference and returns its canonical spelling: the registry in lower case, and `:latest` where
 * neither tag nor digest is given. No registry is added where none is named, since engines differ in which they mean.
 * An image's own digest (`sha256:…`) is a reference too.
 *
 * @throws NanoclawError `INVALID_ARGUMENT` for anything else, so that nothing that looks like an option, holds a
 * space or a newline, or climbs out of a path reaches an engine.
 */
export function parseImageReference(input: unknown): string {
  if (typeof input !== 'string') throw invalid(input, 'it is no text');
  if (input.length > maximumLength) throw invalid(input, `it has more than ${maximumLength} characters`);
  if (digestGrammar.test(input)) return input;

  const [named = '', digest, ...rest] = input.split('@');
  if (rest.length > 0) throw invalid(input, "it has more than one '@'");
  if (digest !== undefined && !digestGrammar.test(digest)) {
    throw invalid(input, "the digest isn't 'sha256:' and 64 lower-case hex digits");
  }
  // A colon after the last slash starts a tag; one before it belongs to the registry's port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const name = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !tagGrammar.test(tag)) {
    throw invalid(input, "the tag isn't up to 128 letters, digits, '_', '.', '-'");
  }
  const canonicalName = parseName(name, input);
  if (tag === undefined && digest === undefined) return `${canonicalName}:latest`;
  return `${canonicalName}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function parseName(name: string, input: string): string {
  if (name.length > maximumNameLength) throw invalid(input, `the name has more than ${maximumNameLength} characters`);
  const components = name.split('/');
  const [first = ''] = components;
  const hasDomain = components.length > 1 && (/[.:]/.test(first) || first.toLowerCase() === 'localhost');
  const path = hasDomain ? components.slice(1) : components;
  if (hasDomain) {
    const port = domainGrammar.exec(first);
    if (port === null) throw invalid(input, 'the registry is no host name');
    if (port[1] !== undefined && (Number(port[1]) < 1 || Number(port[1]) > 65_535)) {
      throw invalid(input, "the registry's port isn't between 1 and 65535");
    }
  }
  for (const component of path) {
    if (componentGrammar.test(component)) continue;
    const reason =
      component !== component.toLowerCase() ? 'a repository is in lower case' : 'a part of the repository is no name';
    throw invalid(input, reason);
  }
  if (!hasDomain && path.length === 1 && /^[0-9a-f]{64}$/.test(first)) {
    throw invalid(input, "64 hex digits are no name; an image's own digest is written 'sha256:…'");
  }
  return hasDomain ? [first.toLowerCase(), ...path].join('/') : name;
}

function invalid(input: unknown, reason: string) {
  const message = `expected an image reference such as 'python:3.13-slim' or 'ghcr.io/owner/image@sha256:…', found ${show(input)}: ${reason}`;
  return createError('INVALID_ARGUMENT', message, { problems: [{ path: 'image', message }] });
}
