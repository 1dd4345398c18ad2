import { createError } from '@nanoclaw/core';
import { describe, expect, test } from 'vitest';
import { statusCodeOf, toDockerError, toStartError } from '../src/docker-error.ts';

const endpoint = { address: 'unix:///x.sock', source: 'DOCKER_HOST' };
const socketError = (code: string) => Object.assign(new Error(`connect ${code} /x.sock`), { code });
const answer = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) unexpected - ${message}`), { statusCode, json: { message } });

describe('toDockerError', () => {
  test.each([
    ['ENOENT', 'ENGINE_UNAVAILABLE', /does not exist.*Start Docker/],
    ['EACCES', 'ENGINE_UNAVAILABLE', /No permission.*usermod -aG docker/],
    ['ECONNREFUSED', 'ENGINE_UNAVAILABLE', /Nothing listens/],
    ['ECONNRESET', 'ENGINE_UNAVAILABLE', /closed the connection/],
    ['EPIPE', 'ENGINE_UNAVAILABLE', /closed the connection/],
    ['ENOTFOUND', 'ENGINE_UNAVAILABLE', /can't be reached/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ENGINE_UNAVAILABLE', /TLS.*DOCKER_CERT_PATH/],
    ['ABORT_ERR', 'ABORTED', /given up/],
  ])('%s is %s', (code, expected, words) => {
    const error = toDockerError(socketError(code), endpoint);
    expect(error.code).toBe(expected);
    expect(error.message).toMatch(words);
    expect(error.message).not.toContain('\n');
  });

  test.each([
    [500, 'mkdir /var/lib/docker/overlay2/x: no space left on device', 'NO_SPACE'],
    [400, 'unknown or invalid runtime name: runsc', 'CONTROL_UNSUPPORTED'],
    [400, 'Unknown runtime specified nope', 'CONTROL_UNSUPPORTED'],
    [404, 'No such image: sha256:00', 'IMAGE_NOT_FOUND'],
    [404, 'No such container: x', 'SANDBOX_GONE'],
    [403, 'authorization denied by plugin', 'ENGINE_ERROR'],
    [500, 'something\nelse \x1b[31m', 'ENGINE_ERROR'],
  ])('HTTP %i %j is %s', (status, message, code) => {
    const error = toDockerError(answer(status, message), endpoint);
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(statusCodeOf(error)).toBe(status);
  });

  test('an error of ours stays what it is', () => {
    const error = createError('TIMEOUT', 'x');
    expect(toDockerError(error, endpoint)).toBe(error);
  });
});

describe('toStartError', () => {
  const spec = { command: ['/nanoclaw/runner'] as const, openFiles: 1024 };
  test.each([
    ['exec: "/nanoclaw/runner": stat /nanoclaw/runner: no such file or directory: unknown', 'RUNNER_MISSING'],
    ['exec: "/nanoclaw/runner": permission denied: unknown', 'RUNNER_MISSING'],
    ['exec /nanoclaw/runner: exec format error', 'RUNNER_MISSING'],
    ['error setting rlimit type 7: operation not permitted', 'CONTROL_UNSUPPORTED'],
    ['error mounting "x" to rootfs: whatever', 'START_FAILED'],
  ])('%s is %s', (message, code) => {
    expect(toStartError(toDockerError(answer(500, message), endpoint), spec).code).toBe(code);
  });
});
