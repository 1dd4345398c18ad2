#!/usr/bin/env node
// Plain JavaScript for any Node from 18 on: finds a Node that is new enough, and runs the command with it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const minimum = [22, 12];

if (isNewEnough(process.versions.node)) {
  const entry = new URL('../dist/index.js', import.meta.url);
  if (existsSync(entry)) {
    const { main } = await import(entry.href);
    await main(process.argv.slice(2));
  } else {
    fail('it is not built here (no dist/index.js). In a checkout, run `npm run setup` first.');
  }
} else {
  const node = recordedNode();
  if (node) runWith(node);
  else {
    fail(
      `Node ${minimum.join('.')} or newer is needed, this is ${process.versions.node}. ` +
        'In a checkout, run `npm start` once, which brings one along; elsewhere install a newer Node.',
    );
  }
}

/** The Node that `npm start` chose for this checkout, from here upwards. */
function recordedNode() {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    const record = join(directory, 'node_modules', '.cache', 'nanoclaw', 'node-path');
    if (existsSync(record)) {
      const node = readFileSync(record, 'utf8').trim();
      if (existsSync(node)) return node;
    }
    if (directory === dirname(directory)) return undefined;
  }
}

/** As if it were this process: same terminal, same signals, same end. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  // A terminal's Ctrl-C reaches the child by itself too; it takes two so close together for one.
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} can't be started: ${error.message}. Run \`npm start\` again.`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // Where that signal can't end us, the exit status says as much.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
}

function fail(message) {
  process.stderr.write(`nanoclaw: ${message}\n`);
  process.exitCode = 125;
}
