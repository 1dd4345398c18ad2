import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { EngineApi } from './engine-api.ts';
import { type Subject, timed } from './rounds.ts';

const run = promisify(execFile);

/** The engine's own command line, where there is one. */
export async function findClient(
  address: string,
): Promise<{ readonly version: string; readonly env: NodeJS.ProcessEnv } | undefined> {
  const env = { ...process.env, DOCKER_HOST: address };
  try {
    const { stdout } = await run('docker', ['version', '--format', '{{.Client.Version}}'], { env, timeout: 10_000 });
    return { version: stdout.trim(), env };
  } catch {
    return undefined;
  }
}

/** `docker exec` in the same container that `nanoclaw-exec` runs its commands in. */
export function clientExec(containerId: string, env: NodeJS.ProcessEnv): Subject {
  return {
    scenario: 'exec',
    subject: 'engine-exec',
    runtime: 'docker',
    note: 'docker exec CONTAINER true, same container',
    perRound: 1,
    measure: () => timed(() => run('docker', ['exec', containerId, 'true'], { env, timeout: 60_000 })),
  };
}

/** The same through the API, without the client's own start. */
export function apiExec(api: EngineApi, containerId: string, subject: 'engine-exec' | 'engine-api-exec'): Subject {
  return {
    scenario: 'exec',
    subject,
    runtime: 'docker',
    note: 'exec create + start over the API, to the end of its output',
    perRound: 1,
    measure: () =>
      timed(async () => {
        const body = { AttachStdout: true, AttachStderr: true, Cmd: ['true'] };
        const { Id } = await api.call('POST', `/containers/${containerId}/exec`, body);
        const socket = await api.upgrade(`/exec/${String(Id)}/start`, { Detach: false, Tty: false });
        socket.resume();
        await new Promise((resolve, reject) => socket.on('end', resolve).on('error', reject));
        socket.destroy();
      }),
  };
}

/** Create, attach and start with the very settings that our driver made for a sandbox, read back from the engine. */
export async function apiCold(api: EngineApi, templateId: string): Promise<Subject> {
  const template = await api.call('GET', `/containers/${templateId}/json`);
  const config = toObject(template.Config);
  const body = { ...config, HostConfig: toObject(template.HostConfig) };
  return {
    scenario: 'cold-start',
    subject: 'engine-api-cold',
    runtime: 'docker',
    note: 'create + attach + start over the API, same settings',
    perRound: 1,
    measure: async () => {
      let id = '';
      try {
        return await timed(async () => {
          id = String((await api.call('POST', '/containers/create', body)).Id);
          const socket = await api.upgrade(`/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`);
          socket.on('error', () => undefined).resume();
          await api.call('POST', `/containers/${id}/start`);
        });
      } finally {
        if (id !== '') await removeAndWait(api, id);
      }
    },
  };
}

/** The least that a user would do by hand: the same hardening as flags of `docker run`. */
export function clientRun(image: string, env: NodeJS.ProcessEnv): Subject {
  const hardening = ['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
  const limits = [
    '--memory',
    '512m',
    '--memory-swap',
    '512m',
    '--cpus',
    '1',
    '--pids-limit',
    '256',
    '--user',
    '12345:12345',
  ];
  const args = ['run', '--rm', '--pull', 'never', '--log-driver', 'none', ...hardening, ...limits, image, 'true'];
  return {
    scenario: 'run',
    subject: 'engine-cli-run',
    runtime: 'docker',
    note: 'docker run --rm … IMAGE true, hardened by flags',
    perRound: 1,
    measure: () => timed(() => run('docker', args, { env, timeout: 60_000 })),
  };
}

/** Removal takes its time; the next round must not pay for it. */
async function removeAndWait(api: EngineApi, id: string): Promise<void> {
  await api.call('DELETE', `/containers/${id}?force=1&v=1`).catch(() => undefined);
  const deadlineMs = performance.now() + 10_000;
  while (performance.now() < deadlineMs) {
    try {
      await api.call('GET', `/containers/${id}/json`);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
