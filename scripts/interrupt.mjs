// Ctrl-C, SIGTERM and a closed terminal: end everything that was started, clean up, and leave the rest
// so that the same command goes on from there.
import { descendantsOf, isRunning, signalProcess } from '../test/host/process-identity.mjs';

const cleanups = new Set();
const GRACE_MS = 10_000;
const POLL_MS = 50;
let interrupted = false;

/** Registers work to do when a signal ends the script early; returns a function that takes it back. */
export function onInterrupt(cleanup) {
  cleanups.add(cleanup);
  installSignalHandlers();
  return () => cleanups.delete(cleanup);
}

/** True once a signal has come: what ends now did not fail, it was ended. */
export function isInterrupted() {
  return interrupted;
}

/** Takes over the signals; done once, by whoever starts the first process or registers the first clean-up. */
export function installSignalHandlers() {
  if (process.listenerCount('SIGINT') > 0) return;
  const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, exitCode] of Object.entries(exitCodes)) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      process.stderr.write(`\n${signal}: ending what was started. Run the same command again to go on.\n`);
      void endEverything().finally(() => process.exit(exitCode));
    });
  }
}

async function endEverything() {
  // All of them, not the children alone: a shell in between ends without telling its own children.
  // Daemons have left our session, and stay. Noted before the first signal, since an orphan is no descendant.
  const started = process.platform === 'linux' ? descendantsOf(process.pid, { sameSession: true }) : [];
  for (const record of started) signalProcess(record, 'SIGTERM');
  const deadline = Date.now() + GRACE_MS;
  while (started.some(isRunning)) {
    if (Date.now() > deadline) {
      for (const record of started) signalProcess(record, 'SIGKILL');
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  for (const cleanup of cleanups) {
    try {
      cleanup();
    } catch (error) {
      process.stderr.write(`Clean-up failed: ${error.message}\n`);
    }
  }
}
