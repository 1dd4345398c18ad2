// Which process is meant by a recorded pid. Pids are reused, so a record holds the start time too, and
// a marker that must stand in the command line (our private directory): nothing else is ever signalled.
import { readdirSync, readFileSync } from 'node:fs';

/** The identity of a running process, to be written down; undefined when it does not run. */
export function identify(pid, marker) {
  const stat = readStat(pid);
  return stat && { pid, startTime: stat.startTime, marker };
}

/** True while exactly the recorded process runs (a zombie does not). */
export function isRunning(record) {
  if (!record) return false;
  const stat = readStat(record.pid);
  if (!stat || stat.state === 'Z' || stat.startTime !== record.startTime) return false;
  if (record.marker === undefined) return true;
  const argv = commandLine(record.pid);
  // Empty for a moment while it calls exec; pid and start time say that it is the one.
  return argv.every((argument) => argument === '') || argv.some((argument) => argument.includes(record.marker));
}

/** Signals the recorded process if it still is the one; answers whether it was. */
export function signalProcess(record, signal) {
  if (!isRunning(record)) return false;
  try {
    process.kill(record.pid, signal);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}

/** Every running process of which an argument satisfies `predicate`. */
export function findByArgument(predicate) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandLine(pid).some(predicate))
    .map((pid) => identify(pid))
    .filter((record) => record !== undefined);
}

/** All descendants of a process, deepest last; with `sameSession` without daemons, which left the session. */
export function descendantsOf(pid, { sameSession = false } = {}) {
  const session = readStat(pid)?.session;
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (stat && (!sameSession || stat.session === session)) parents.set(Number(name), stat.parent);
  }
  const found = [];
  const visit = (parent) => {
    for (const [child, itsParent] of parents) {
      if (itsParent !== parent) continue;
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found.map((child) => identify(child)).filter((record) => record !== undefined);
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

function readStat(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name (second field) may hold spaces and parentheses: count from its last parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0], parent: Number(fields[1]), session: fields[3], startTime: fields[19] };
}
