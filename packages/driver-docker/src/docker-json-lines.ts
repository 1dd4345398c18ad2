/** No message of the engine's is longer; an event carries at most all labels of a container and its image. */
const maxLineBytes = 4 * 1024 * 1024;

/**
 * Cuts the engine's streams (events, progress) into JSON values, one a line. What is not JSON is left out. The reader answers
 * false, and is of no further use, when a line is longer than any can be.
 */
export function createJsonLineReader(onValue: (value: unknown) => void): (chunk: Buffer) => boolean {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      parseLine(data.toString('utf8', 0, end), onValue);
      data = data.subarray(end + 1);
    }
    rest = Buffer.from(data);
    return rest.length <= maxLineBytes;
  };
}

/** Reads a stream of JSON lines to its end. Rejects when it breaks. */
export async function readJsonLines(stream: AsyncIterable<Buffer>, onValue: (value: unknown) => void): Promise<void> {
  const read = createJsonLineReader(onValue);
  for await (const chunk of stream) {
    if (!read(chunk)) throw new Error(`a line of the engine's answer is longer than ${maxLineBytes} bytes`);
  }
  read(Buffer.from('\n'));
}

function parseLine(line: string, onValue: (value: unknown) => void): void {
  if (line.trim() === '') return;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return;
  }
  onValue(value);
}

/** A member of a value of unknown shape. */
export function member(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path)
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined;
  return found;
}

export function textMember(value: unknown, ...path: readonly string[]): string | undefined {
  const found = member(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

export function numberMember(value: unknown, ...path: readonly string[]): number | undefined {
  const found = member(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}
