import { createError, isNanoclawError } from '@nanoclaw/core';
import type { DockerApi } from './docker-api.ts';
import { type CredentialWorld, findRegistryCredentials } from './docker-credentials.ts';
import { oneLine, toDockerError } from './docker-error.ts';
import { type EnsureImageOptions, follow } from './docker-image-progress.ts';
import { registryOf, splitReference } from './docker-image-reference.ts';
import { numberMember, textMember } from './docker-json-lines.ts';

/** Pulls an image, with the user's credentials for its registry. */
export async function pullImage(
  api: DockerApi,
  reference: string,
  world: CredentialWorld,
  { signal, onProgress }: EnsureImageOptions,
): Promise<void> {
  const credentials = await findRegistryCredentials(reference, world);
  const { repo, tag } = splitReference(reference);
  const layers = new Map<string, { done: number; total: number }>();
  try {
    const stream = await api.docker.createImage(credentials ?? {}, { fromImage: repo, tag, abortSignal: signal });
    await follow(stream, signal, (value) => {
      const id = textMember(value, 'id') ?? '';
      const done = numberMember(value, 'progressDetail', 'current');
      // Unpacking counts the same bytes again.
      if (done !== undefined && textMember(value, 'status') === 'Downloading')
        layers.set(id, { done, total: numberMember(value, 'progressDetail', 'total') ?? 0 });
      const sums = [...layers.values()].reduce(
        (sum, layer) => ({ done: sum.done + layer.done, total: sum.total + layer.total }),
        { done: 0, total: 0 },
      );
      onProgress({
        phase: 'pull',
        message: oneLine([id, textMember(value, 'status')].filter(Boolean).join(': ')),
        completedBytes: sums.done,
        totalBytes: sums.total,
      });
    });
  } catch (error) {
    throw toPullError(toDockerError(error, api.endpoint), reference, credentials !== undefined);
  }
}

function toPullError(error: unknown, reference: string, hadCredentials: boolean): unknown {
  if (!isNanoclawError(error) || (error.code !== 'ENGINE_ERROR' && error.code !== 'IMAGE_NOT_FOUND')) return error;
  const name = oneLine(reference);
  const words = error.cause instanceof Error ? oneLine(error.cause.message) : error.message;
  const registry = registryOf(reference);
  if (/no matching manifest|does not match the (?:specified|detected) platform/i.test(words)) {
    return createError(
      'IMAGE_UNUSABLE',
      `The registry has no ${name} for the engine's platform (${words}). Choose another image, or an engine of the other architecture.`,
      {},
      error,
    );
  }
  if (/unauthorized|authentication required|no basic auth|denied/i.test(words)) {
    const login = hadCredentials
      ? `The credentials that Docker has for ${registry} were not accepted; 'docker login' renews them.`
      : `If it is private, log in first: 'docker login ${registry}'.`;
    return createError(
      'IMAGE_NOT_FOUND',
      `The image ${name} is not on this engine, and ${registry} does not give it (${words}). Check the name. ${login}`,
      {},
      error,
    );
  }
  return createError(
    'IMAGE_NOT_FOUND',
    `The image ${name} is not on this engine and could not be pulled from ${registry} (${words}). Check the name and the engine's network; ` +
      "without a registry, bring the image with 'docker load', or build it.",
    {},
    error,
  );
}
