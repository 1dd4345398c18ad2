import type { ControlName, ControlSupport } from '@nanoclaw/core';
import type { DockerEngine } from './docker-engine.ts';
import { member } from './docker-json-lines.ts';
import { unsupported } from './docker-support.ts';

/** The name under which gVisor's own installer registers it. */
export const gvisorRuntime = 'runsc';

/** What the engine sets from outside and gVisor, a kernel of its own, does not show from inside. */
const shownByEngine = { supported: true, evidence: 'engine' } as const satisfies ControlSupport;

/** How gVisor differs from a shared kernel; what it takes and ignores was tried with runsc 20221219. */
export function toGvisorControls(info: DockerEngine['info']): Partial<Record<ControlName, ControlSupport>> {
  return {
    ...(takesSeccomp(info.Runtimes?.[gvisorRuntime])
      ? {}
      : {
          seccomp: unsupported(
            'gVisor answers system calls with a kernel of its own and ignores seccomp profiles.',
            'Register runsc with --oci-seccomp, or say that its kernel is meant to stand in their place: relax: [seccomp].',
          ),
        }),
    scratch: unsupported(
      'gVisor bounds a tmpfs in bytes, but ignores its inode limit and its nosuid and nodev flags.',
      'Where the size and the memory limit are enough, say so: relax: [scratch].',
    ),
    memory: shownByEngine,
    swap: shownByEngine,
    cpu: shownByEngine,
    'cpu-shares': shownByEngine,
    pids: shownByEngine,
    'cgroup-namespace': shownByEngine,
    'masked-paths': shownByEngine,
    devices: shownByEngine,
  };
}

function takesSeccomp(runtime: unknown): boolean {
  const found = member(runtime, 'runtimeArgs');
  return (
    Array.isArray(found) && found.some((argument) => argument === '--oci-seccomp' || argument === '--oci-seccomp=true')
  );
}
