/**
 * Every control that a sandbox is held to. The name is the unit of everything said about a control:
 * what an engine supports, what is refused, what differs on verification, and what a policy relaxes.
 */
export const controlNames = [
  'user',
  'capabilities',
  'no-new-privileges',
  'seccomp',
  'read-only-root',
  'scratch',
  'mounts',
  'masked-paths',
  'devices',
  'memory',
  'swap',
  'cpu',
  'cpu-shares',
  'pids',
  'open-files',
  'core-dumps',
  'network',
  'pid-namespace',
  'ipc-namespace',
  'uts-namespace',
  'cgroup-namespace',
  'isolation',
  'image-config',
  'output-log',
  'removal',
] as const;

export type ControlName = (typeof controlNames)[number];

/**
 * Where the proof of a control comes from: `inside` is the runner's report, `engine` the engine's own
 * inspect, `none` means that nothing shows it (and the control is refused unless relaxed by name).
 */
export type Evidence = 'inside' | 'engine' | 'none';

/** How strong the wall between a sandbox and the host is, weakest first. */
export const isolationLevels = ['shared-kernel', 'user-namespace', 'gvisor', 'microvm'] as const;
export type IsolationLevel = (typeof isolationLevels)[number];

/**
 * `none`: no interface but loopback. `fenced`: interfaces may exist, but the engine's network drops
 * everything (Kubernetes has no `none`).
 */
export const networkTiers = ['none', 'fenced'] as const;
export type NetworkTier = (typeof networkTiers)[number];
