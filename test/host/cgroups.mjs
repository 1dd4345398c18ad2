// crun refuses a machine whose cgroup v1 has an empty v2 beside it that still holds controllers
// ("cgroups in hybrid mode not supported, drop all controllers from cgroupv2"). Mounting the remaining
// controllers as v1 hierarchies, as the others are, takes them away from v2.
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { note } from '../../scripts/lines.mjs';
import { runCommand } from '../../scripts/run-command.mjs';

const ROOT = '/sys/fs/cgroup';

/** Does nothing on a machine with plain v1, with v2 alone, or where systemd owns the tree. */
export async function completeCgroupV1() {
  const unified = `${ROOT}/unified/cgroup.controllers`;
  if (existsSync('/run/systemd/system') || !existsSync(unified) || !existsSync(`${ROOT}/memory`)) return;
  const left = readFileSync(unified, 'utf8').trim().split(/\s+/).filter(Boolean);
  for (const controller of left) {
    const point = `${ROOT}/${controller}`;
    const made = !existsSync(point);
    if (made) mkdirSync(point);
    const { code, output } = await runCommand('mount', ['-t', 'cgroup', '-o', controller, 'cgroup', point]);
    if (code === 0) continue;
    if (made) rmdirSync(point);
    note(`cgroup controller ${controller} stays with cgroup v2 (${output.trim()}); crun may refuse to run`);
  }
}
