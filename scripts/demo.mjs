// What `npm start` ends with: a real Python script on real input (this repository's own sources and git
// log) in a sandbox under the default policy, what was attested, attacks that fail, and the times of
// each step. Uses the built packages, as a program of a user's would.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSandbox, isNanoclawError } from '@nanoclaw/core';
import { createDockerRuntime } from '@nanoclaw/driver-docker';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (text = '') => console.log(text);
const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** The local test image where there is one (test/host/up makes it), else one that every registry has. */
const images = process.env.NANOCLAW_IMAGE
  ? [{ kind: 'reference', reference: process.env.NANOCLAW_IMAGE, pull: 'missing' }]
  : [
      { kind: 'reference', reference: 'nanoclaw-test/python:3.11', pull: 'never' },
      { kind: 'reference', reference: 'python:3.13-slim', pull: 'missing' },
    ];
/** The controls that newcomers ask about; the others are named in one line. */
const shownControls = ['user', 'capabilities', 'seccomp', 'read-only-root', 'memory', 'cpu', 'pids', 'network'];

const runtime = createDockerRuntime();
const output = mkdtempSync(join(tmpdir(), 'nanoclaw-demo-'));
try {
  await demonstrate();
} catch (error) {
  if (!isNanoclawError(error)) throw error;
  console.error(`\nThe demonstration ended early (${error.code}): ${error.message}`);
  process.exitCode = 1;
} finally {
  await runtime.close();
  rmSync(output, { recursive: true, force: true });
}

async function demonstrate() {
  const sandbox = await start();
  try {
    const copiedMs = await timed(() => copyIn(sandbox));
    await report(sandbox, copiedMs);
    await attack(sandbox);
    await measure(sandbox);
  } finally {
    const goneMs = await timed(() => sandbox.destroy());
    const left = await runtime.inspect(sandbox.containerId, { signal: AbortSignal.timeout(10_000) });
    say(
      `\n5. Destroyed in ${milliseconds(goneMs)}; the engine ${left ? `STILL HAS ${left.id}` : 'has no such container any more'}`,
    );
  }
  sayNext(sandbox);
}

async function start() {
  for (const [index, image] of images.entries()) {
    try {
      const onProgress = throttled(({ phase, message }) => say(`   ${phase}: ${message}`));
      const sandbox = await createSandbox({ runtime, image, onProgress });
      describeStart(sandbox, image.reference);
      return sandbox;
    } catch (error) {
      if (!isNanoclawError(error) || error.code !== 'IMAGE_NOT_FOUND' || index === images.length - 1) throw error;
    }
  }
  throw new Error('no image is named');
}

function describeStart({ attestation, timings, containerId, id }, image) {
  const { capabilitiesMs, imageMs, startMs, helloMs, totalMs } = timings;
  say('\n1. A sandbox under the default policy');
  say(
    `   ${attestation.product} ${attestation.productVersion} · ${image} · sandbox ${id}, container ${containerId.slice(0, 12)}`,
  );
  say(
    `   ready after ${milliseconds(totalMs)}: engine asked ${milliseconds(capabilitiesMs)}, image found ${milliseconds(imageMs)}, ` +
      `created and started ${milliseconds(startMs)}, verified ${milliseconds(helloMs)}`,
  );
  const verified = attestation.controls.filter(({ outcome }) => outcome === 'verified');
  say(
    `\n2. Attested before anything untrusted ran: ${verified.length} of ${attestation.controls.length} controls are as asked`,
  );
  const shown = verified.filter(({ control }) => shownControls.includes(control));
  const rows = shown.map(({ control, expected, found, evidence }) => [
    control,
    cut(readable(control, found), 56),
    found === expected ? 'as asked' : `asked: ${cut(expected, 30)}`,
    evidence === 'inside' ? 'seen from inside' : "engine's inspect",
  ]);
  say(table([['control', 'found', 'expected', 'evidence'], ...rows]));
  const others = verified.filter((control) => !shown.includes(control)).map(({ control }) => control);
  say(wrap(`and ${others.join(', ')}`, '   '));
}

/** The repository's sources and history: real input, and on every machine that runs this. */
async function copyIn(sandbox) {
  await sandbox.writeFile('input/git-log.txt', await gitLog());
  for (const part of readdirSync(join(root, 'packages'))) {
    for (const directory of ['src', 'internal']) {
      const source = join(root, 'packages', part, directory);
      if (existsSync(source)) await sandbox.upload(source, `input/sources/${part}/${directory}`);
    }
  }
  await sandbox.upload(join(root, 'docs'), 'input/sources/docs');
  await sandbox.upload(join(root, 'scripts', 'demo'), 'demo');
}

async function report(sandbox, copiedMs) {
  const result = await sandbox.exec(['python3', 'demo/repository_report.py']);
  if (result.exitCode !== 0) throw new Error(`The script ended with ${result.exitCode}: ${result.stderr}`);
  const { sizeBytes } = await sandbox.download('report.md', join(output, 'report.md'));
  say(`\n3. A script's work: repository_report.py on this repository's sources and git log`);
  for (const line of result.stdout.trimEnd().split('\n')) say(wrap(line, '   ', '             '));
  say(
    `   copied in ${milliseconds(copiedMs)} · ran ${milliseconds(result.durationMs)} · report.md (${sizeBytes} bytes) copied out`,
  );
}

async function attack(sandbox) {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { stdout, stderr } = await sandbox.exec(['python3', 'demo/attacks.py', String(server.address().port)]);
  server.close();
  const attempts = stdout
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const through = attempts.filter(({ stopped }) => !stopped).length;
  say(`\n4. Attacks from inside: ${attempts.length - through} of ${attempts.length} stopped`);
  say(table(attempts.map(({ attempt, stopped, found }) => [attempt, stopped ? 'stopped' : 'WENT THROUGH', found])));
  if (through > 0 || attempts.length < 4) throw new Error(`An attack went through, or was not tried. ${stderr}`);
}

async function measure(sandbox) {
  const times = [];
  for (let index = 0; index < 20; index += 1) times.push(await timed(() => sandbox.exec(['true'])));
  const [first] = times;
  times.sort((a, b) => a - b);
  say(
    `   a command in the live sandbox takes ${milliseconds(times[9])} (median of 20, the slowest ${milliseconds(times.at(-1))}, the first ${milliseconds(first)})`,
  );
}

function sayNext({ attestation }) {
  const image = images.find(({ pull }) => pull === 'never')?.reference ?? 'python:3.13-slim';
  say('\nTry next:');
  if (process.env.DOCKER_HOST) say(`   export DOCKER_HOST=${process.env.DOCKER_HOST}`);
  say(`   npx nanoclaw run --image ${image} -- python3 -c 'print(6 * 7)'`);
  say('   npx nanoclaw doctor                    what this machine can enforce');
  say('   npx nanoclaw policy show strict        every field, decided');
  say(`   examples/quickstart.mjs                the same as a program (runtime: ${attestation.runtime})\n`);
}

function gitLog() {
  const args = ['-C', root, 'log', '--numstat', '--no-renames', '--max-count=2000', '--format=commit %h %as'];
  return new Promise((resolve) => {
    // A copy without git history is fine too: the report then has none.
    execFile('git', args, { maxBuffer: 64 * 1_048_576 }, (error, stdout) => resolve(error ? '' : stdout));
  });
}

async function timed(work) {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function throttled(work, everyMs = 3_000) {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (value) => {
    if (performance.now() - lastMs < everyMs) return;
    lastMs = performance.now();
    work(value);
  };
}

function table(rows) {
  const widths = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows
    .map(
      (row) =>
        `   ${row
          .map((cell, at) => cell.padEnd(widths[at]))
          .join('  ')
          .trimEnd()}`,
    )
    .join('\n');
}

function wrap(text, indent, nextIndent = indent, width = 118) {
  const lines = [];
  let line = indent;
  for (const word of text.split(/(?<=\S)(?=\s)/)) {
    if (line.length + word.length > width) {
      lines.push(line);
      line = nextIndent + word.trimStart();
    } else line += line.trim() === '' ? word.trimStart() : word;
  }
  return [...lines, line].join('\n');
}

/** Bytes and thousandths, for people. */
function readable(control, found) {
  if (control === 'memory') return `${Number(found) / 1_048_576} MiB`;
  if (control === 'cpu') return `${Number(found) / 1_000} CPU`;
  return found.trim().replace(/ groups$/, ', no other groups');
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
