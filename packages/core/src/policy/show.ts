const maximumLength = 60;

// Control characters that JSON.stringify leaves alone, and those that change how the rest of a line is displayed.
const deceptive = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function escapeDeceptive(text: string): string {
  return text.replace(deceptive, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A string in double quotes, at most 60 characters of it, with control and direction characters escaped. */
export function quote(text: string): string {
  const short = text.length > maximumLength ? text.slice(0, maximumLength) : text;
  const suffix = text.length > maximumLength ? ` (${text.length} characters)` : '';
  return `${escapeDeceptive(JSON.stringify(short))}${suffix}`;
}

/**
 * How a message shows a value that it found: short, on one line, safe to print, and without its content where that is
 * a list or an object.
 */
export function show(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty string' : quote(value);
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return 'a bigint';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}
