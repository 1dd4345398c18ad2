import { request } from 'node:http';
import { text } from 'node:stream/consumers';

/** All but what an engine in a container of its own lacks (SYS_RESOURCE), and what Docker 20.10 has no name for. */
const capabilities = [
  ...[
    'CHOWN',
    'DAC_OVERRIDE',
    'DAC_READ_SEARCH',
    'FOWNER',
    'IPC_LOCK',
    'KILL',
    'MKNOD',
    'NET_ADMIN',
    'NET_RAW',
    'SETGID',
    'SETPCAP',
  ],
  ...[
    'SETUID',
    'SYSLOG',
    'SYS_ADMIN',
    'SYS_BOOT',
    'SYS_CHROOT',
    'SYS_MODULE',
    'SYS_NICE',
    'SYS_PACCT',
    'SYS_PTRACE',
    'SYS_RAWIO',
  ],
  ...['SYS_TIME', 'SYS_TTY_CONFIG'],
];

/**
 * Runs a command as root, with those capabilities, no seccomp filter and a writable root, in a container of the engine's
 * own (without network all the same), and answers what it printed. This is what shows that an action that is refused
 * in a sandbox is refused by the sandbox, and not because it would fail anywhere.
 */
export async function runUnhardened(
  host: string,
  image: string,
  command: readonly string[],
  archive: Buffer,
): Promise<string> {
  const socketPath = host.replace(/^unix:\/\//, '');
  const { Id } = JSON.parse(
    await call(socketPath, 'POST', '/containers/create', {
      Image: image,
      Entrypoint: ['sleep'],
      Cmd: ['120'],
      User: '0:0',
      WorkingDir: '/workspace',
      Env: ['NANOCLAW_UNHARDENED=1'],
      NetworkDisabled: true,
      Labels: { 'nanoclaw-test.unhardened': 'true' },
      HostConfig: {
        CapAdd: capabilities,
        SecurityOpt: ['seccomp=unconfined'],
        NetworkMode: 'none',
        CgroupnsMode: 'private',
        MaskedPaths: [],
        ReadonlyPaths: [],
        Memory: 536_870_912,
        Tmpfs: { '/tmp': 'rw,exec,size=64m' },
        LogConfig: { Type: 'none', Config: {} },
        Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2048 }],
      },
    }),
  ) as { Id: string };
  try {
    await call(socketPath, 'POST', `/containers/${Id}/start`);
    await call(socketPath, 'PUT', `/containers/${Id}/archive?path=/`, archive);
    const exec = JSON.parse(
      await call(socketPath, 'POST', `/containers/${Id}/exec`, {
        AttachStdout: true,
        AttachStderr: true,
        Tty: false,
        Cmd: command,
      }),
    ) as { Id: string };
    const raw = await call(socketPath, 'POST', `/exec/${exec.Id}/start`, { Detach: false, Tty: false }, 'latin1');
    return stdoutOf(Buffer.from(raw, 'latin1'));
  } finally {
    await call(socketPath, 'DELETE', `/containers/${Id}?force=true`);
  }
}

/** Kills every process of a container from the engine's host, where that is this one: for what nothing else could end. */
export async function killFromOutside(host: string, containerId: string): Promise<void> {
  const socketPath = host.replace(/^unix:\/\//, '');
  const answer = await call(socketPath, 'GET', `/containers/${containerId}/top?ps_args=-eo%20pid`).catch(
    () => '{"Processes":[]}',
  );
  const { Processes } = JSON.parse(answer) as { Processes: readonly (readonly string[])[] };
  for (const [pid] of Processes) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** Frames of 8 bytes' header: stream, 3 zeros, length. */
function stdoutOf(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    if (raw[at] === 1) parts.push(raw.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}

function call(
  socketPath: string,
  method: string,
  path: string,
  body?: object | Buffer,
  encoding: BufferEncoding = 'utf8',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const isArchive = Buffer.isBuffer(body);
    const payload = body === undefined ? undefined : isArchive ? body : Buffer.from(JSON.stringify(body));
    const headers = payload && {
      'content-type': isArchive ? 'application/x-tar' : 'application/json',
      'content-length': payload.length,
    };
    const outgoing = request({ socketPath, method, path, ...(headers && { headers }) }, (incoming) => {
      incoming.setEncoding(encoding);
      text(incoming).then((answer) => {
        if ((incoming.statusCode ?? 500) < 400) resolve(answer);
        else reject(new Error(`${method} ${path}: ${incoming.statusCode} ${answer}`));
      }, reject);
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
