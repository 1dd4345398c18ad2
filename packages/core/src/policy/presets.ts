import type { Policy } from './policy.ts';
import type { PolicyInput, PresetName } from './policy-input.ts';
import type { Report } from './problems.ts';
import { show } from './show.ts';
import { formatDuration } from './units.ts';

/**
 * The policies that are built in, each as the fields in which it differs from the defaults.
 *
 * `openclaw` is sized for OpenClaw 2026.9 by measurement: 1.3 GB resident with a tool call, 768 MB isn't enough for
 * one; 33 MB of scratch a turn; boot is bound by CPU.
 */
export const presets: Readonly<Record<PresetName, PolicyInput>> = {
  default: {},
  strict: {},
  openclaw: {
    memory: '1.5g',
    workingSet: '1240m',
    cpus: 2,
    pids: 512,
    openFiles: 4096,
    scratch: [
      { path: '/tmp', size: '64m' },
      { path: '/workspace', size: '64m', executable: true },
    ],
    sharedMemory: '8m',
  },
};

/** Presets whose default scratch directories may hold programs that can be executed. */
export function allowsExecutableScratch(preset: PresetName): boolean {
  return preset !== 'strict';
}

const strictExecTimeoutMs = 60_000;

/** The rules that a preset keeps whatever is written beside it. */
export function checkPreset(policy: Policy, report: Report): void {
  if (policy.preset !== 'strict') return;
  if (policy.execTimeoutMs > strictExecTimeoutMs) {
    report('execTimeout', `the preset 'strict' allows at most 60s, found ${formatDuration(policy.execTimeoutMs)}`);
  }
  policy.scratch.forEach(({ executable, path }, index) => {
    if (!executable) return;
    report(
      `scratch[${index}].executable`,
      `the preset 'strict' executes nothing from a writable directory, found true for ${show(path)}`,
    );
  });
  if (policy.mounts.length > 0) {
    report(
      'mounts',
      `the preset 'strict' shares nothing of the host: copy files in instead, found ${show(policy.mounts)}`,
    );
  }
  if (policy.relax.length > 0) {
    report('relax', `the preset 'strict' relaxes no control, found ${show(policy.relax)}`);
  }
}
