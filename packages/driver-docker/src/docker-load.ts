import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createError } from '@nanoclaw/core';
import type { DockerApi } from './docker-api.ts';
import { oneLine, toDockerError } from './docker-error.ts';
import { type EnsureImageOptions, follow } from './docker-image-progress.ts';
import { textMember } from './docker-json-lines.ts';

/** Loads an archive, and answers the reference or id of the first image in it. */
export async function loadArchive(
  api: DockerApi,
  path: string,
  { signal, onProgress }: EnsureImageOptions,
): Promise<string> {
  const stats = await stat(path).catch((error: unknown) => {
    throw createError('FILE_NOT_FOUND', `The image archive ${path} can't be read. Check the path.`, { path }, error);
  });
  if (!stats.isFile())
    throw createError('FILE_NOT_FOUND', `Expected the image archive ${path} to be a file.`, { path });
  const file = createReadStream(path);
  let sent = 0;
  file.on('data', (chunk) => {
    sent += chunk.length;
    onProgress({
      phase: 'load',
      message: 'sending the archive to the engine',
      completedBytes: sent,
      totalBytes: stats.size,
    });
  });
  file.pause();
  let loaded: string | undefined;
  try {
    const stream = await api.docker.loadImage(file, { quiet: true, abortSignal: signal } as { quiet: boolean });
    await follow(stream, signal, (value) => {
      const line = textMember(value, 'stream')?.trim();
      if (line === undefined) return;
      loaded ??= /^Loaded image(?: ID)?: (\S+)/.exec(line)?.[1];
      onProgress({ phase: 'load', message: oneLine(line), completedBytes: sent, totalBytes: stats.size });
    });
  } catch (error) {
    const mapped = toDockerError(error, api.endpoint);
    if (mapped.code !== 'ENGINE_ERROR') throw mapped;
    const words = oneLine(error instanceof Error ? error.message : String(error));
    throw createError(
      'IMAGE_UNUSABLE',
      `The engine can't load ${path} as an image (${words}). Expected a tar archive as 'docker save' writes it.`,
      { path },
      error,
    );
  } finally {
    file.destroy();
  }
  if (loaded === undefined) {
    throw createError(
      'IMAGE_UNUSABLE',
      `There is no image in ${path}. Expected a tar archive as 'docker save' writes it (an OCI layout needs Docker 25 or newer).`,
      { path },
    );
  }
  return loaded;
}
