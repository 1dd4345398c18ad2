import { createHash } from 'node:crypto';
import type { ReadOnlyFile } from '../runtime/container-spec.ts';

/** The name of the account that commands run as. */
export const accountName = 'sandbox';

/** The account that a sandbox has inside. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Absolute path. */
  readonly home: string;
}

/**
 * `/etc/hosts` with loopback and the sandbox's own name: an engine leaves it out where there is no network, and then even
 * `localhost` has no address.
 */
export function hostsFile(hostname: string): ReadOnlyFile {
  return textFile('/etc/hosts', `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`);
}

function textFile(target: string, text: string): ReadOnlyFile {
  return { target, mode: 0o444, content: { text }, sha256: createHash('sha256').update(text).digest('hex') };
}

/**
 * `/etc/passwd` and `/etc/group` with the sandbox's account, root and nobody, and no other: git, ssh and Node's
 * `os.userInfo()` fail for a uid without a name, and an image's own group file could add groups.
 */
export function accountFiles({ uid, gid, home }: Account): readonly ReadOnlyFile[] {
  const passwd = [
    'root:x:0:0:root:/root:/usr/sbin/nologin',
    `${accountName}:x:${uid}:${gid}:NanoClaw sandbox:${home}:/bin/sh`,
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
  ];
  const group = ['root:x:0:', `${accountName}:x:${gid}:`, 'nogroup:x:65534:'];
  return [textFile('/etc/passwd', `${passwd.join('\n')}\n`), textFile('/etc/group', `${group.join('\n')}\n`)];
}
