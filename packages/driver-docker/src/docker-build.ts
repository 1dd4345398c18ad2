import { createError, type ErrorCode, type ImageSource } from '@nanoclaw/core';
import { createDiagnosticsTail } from '@nanoclaw/driver-kit';
import type { DockerApi } from './docker-api.ts';
import { createBuildContext } from './docker-build-context.ts';
import { oneLine, toDockerError } from './docker-error.ts';
import { type EnsureImageOptions, follow } from './docker-image-progress.ts';
import { numberMember, textMember } from './docker-json-lines.ts';

export type BuildSource = ImageSource & { kind: 'build' };

/** Carries a build's content key, by which an image is used again instead of built. */
export const buildKeyLabel = 'nanoclaw.build.key';

/** Builds with the engine's own builder, and answers the image's id. */
export async function buildImage(
  api: DockerApi,
  source: BuildSource,
  { signal, onProgress }: EnsureImageOptions,
): Promise<string> {
  const context = await createBuildContext(source.contextDir, source.dockerfile);
  const output = createDiagnosticsTail(4096);
  let id: string | undefined;
  try {
    const stream = await api.docker.buildImage(context.archive as NodeJS.ReadableStream, {
      t: source.tag,
      dockerfile: context.dockerfile,
      buildargs: { ...source.buildArgs },
      labels: { ...source.labels, [buildKeyLabel]: source.key },
      networkmode: source.network,
      rm: true,
      forcerm: true,
      // BuildKit wants a session over HTTP/2 with the client; the engine's own builder wants nothing.
      version: '1',
      abortSignal: signal,
    });
    await follow(stream, signal, (value) => {
      id = textMember(value, 'aux', 'ID') ?? id;
      const text = textMember(value, 'stream') ?? textMember(value, 'status');
      if (text === undefined || text.trim() === '') return;
      output.append(Buffer.from(text.endsWith('\n') ? text : `${text}\n`));
      onProgress({
        phase: 'build',
        message: oneLine(text),
        completedBytes: numberMember(value, 'progressDetail', 'current') ?? 0,
        totalBytes: numberMember(value, 'progressDetail', 'total') ?? 0,
      });
    });
  } catch (error) {
    throw toBuildError(error, toDockerError(error, api.endpoint), source, output.text());
  } finally {
    context.archive.destroy();
  }
  return id ?? source.tag;
}

function toBuildError(error: unknown, mapped: Error & { code: ErrorCode }, source: BuildSource, output: string): Error {
  if (mapped.code !== 'ENGINE_ERROR' && mapped.code !== 'IMAGE_NOT_FOUND') return mapped;
  const words = oneLine(error instanceof Error ? error.message : String(error));
  const where = `${source.contextDir}/${source.dockerfile}`;
  if (/pull access denied|manifest unknown|manifest for .* not found|no such host|dial tcp|registry/i.test(words)) {
    return createError(
      'IMAGE_NOT_FOUND',
      `The image that ${where} starts FROM is not on this engine and could not be pulled (${words}). Check its name, or bring it with 'docker load'.`,
      {},
      error,
    );
  }
  const hint = /requires BuildKit/i.test(words)
    ? " NanoClaw builds with the engine's classic builder: write the Dockerfile without BuildKit's RUN --mount."
    : '';
  const last = output.trim() === '' ? '' : `\n${output.trim().split('\n').slice(-20).join('\n')}`;
  return createError('BUILD_FAILED', `Building ${where} failed: ${words}.${hint}${last}`, { path: where }, error);
}
