import { isWithin, pathProblem } from './container-path.ts';
import { quote } from './show.ts';

/** Directories of a host that no sandbox may see any part of. Engine sockets live in `/run`. */
const forbiddenTrees: readonly string[] = [
  '/etc',
  '/proc',
  '/sys',
  '/dev',
  '/boot',
  '/run',
  '/var/run',
  '/private/etc',
  '/private/var/run',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/kubelet',
  '/var/lib/rancher',
];

/** Directories whose writing would change the host itself. */
const systemTrees: readonly string[] = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/System',
  '/Library',
];

/** Files and directories of a home that hold credentials, or (shells' start files apart) lead to them. */
export const credentialPaths: readonly string[] = [
  '.ssh',
  '.aws',
  '.gnupg',
  '.docker',
  '.kube',
  '.azure',
  '.netrc',
  '.npmrc',
  '.pypirc',
  '.pgpass',
  '.my.cnf',
  '.git-credentials',
  '.vault-token',
  '.password-store',
  '.terraform.d',
  '.cargo/credentials',
  '.cargo/credentials.toml',
  '.config/gcloud',
  '.config/gh',
  '.config/git/credentials',
  '.config/containers',
  '.local/share/keyrings',
  '.local/share/containers',
  '.local/share/docker',
  '.colima',
  '.rd',
  '.mozilla',
  '.config/google-chrome',
  '.config/chromium',
  'Library/Keychains',
  '.openclaw',
];

/** File names by which engines' sockets are known, wherever they lie. */
export const engineSocketNames: readonly string[] = [
  'docker.sock',
  'docker-raw.sock',
  'podman.sock',
  'containerd.sock',
  'containerd.sock.ttrpc',
  'crio.sock',
  'buildkitd.sock',
  'nerdctl.sock',
  'dockershim.sock',
];

/** What is wrong with a mount's source as it is written, or `undefined`. */
export function mountSourceProblem(source: string): string | undefined {
  const hint = source.startsWith('~') ? "; '~' isn't expanded, write the home out" : '';
  const problem = pathProblem(source);
  return problem === undefined ? forbiddenSource(source, []) : `${problem}${hint}`;
}

/**
 * Why a path of the host may not be mounted, judged by its name alone, or `undefined`. `engineSockets` are absolute
 * paths of sockets that are known beside the usual ones.
 */
export function forbiddenSource(source: string, engineSockets: readonly string[]): string | undefined {
  if (source === '/') return "'/' is the whole host";
  for (const tree of forbiddenTrees) {
    if (isWithin(source, tree)) return `${quote(source)} is or lies in ${tree}, which belongs to the host alone`;
    if (isWithin(tree, source)) return `${quote(source)} contains ${tree}, which belongs to the host alone`;
  }
  for (const socket of engineSockets) {
    if (isWithin(socket, source)) return `${quote(source)} is or contains the engine's socket ${quote(socket)}`;
  }
  const components = source.slice(1).split('/');
  if (engineSocketNames.includes(components.at(-1) ?? '')) return `${quote(source)} is an engine's socket`;
  for (const credential of credentialPaths) {
    const at = `/${credential}`;
    if (source.endsWith(at) || source.includes(`${at}/`))
      return `${quote(source)} is or lies in ${credential}, where a user's credentials are`;
  }
  return undefined;
}

/** Why a path of the host may be mounted read-only but not writable, or `undefined`. */
export function forbiddenWritable(source: string): string | undefined {
  const tree = systemTrees.find((candidate) => isWithin(source, candidate));
  return tree === undefined
    ? undefined
    : `${quote(source)} lies in ${tree}: writable, it would change the host; mount it read-only`;
}
