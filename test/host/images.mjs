// Test images: built once from their recipe, kept as an archive in the cache, imported into engines.
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { engineRequest } from '../../scripts/engine-http.mjs';
import { onInterrupt } from '../../scripts/interrupt.mjs';
import { formatDuration, note, PlainError } from '../../scripts/lines.mjs';
import { RECIPE_LABEL, recipes } from '../images/recipes.mjs';
import { buildBusyboxArchive, buildDebianArchive } from './image-archives.mjs';
import { cacheDirectory, fingerprint } from './state.mjs';

const imageDirectory = join(cacheDirectory, 'images');
const IMPORT_TIMEOUT_MS = 120_000;

/** Builds the archives that the cache lacks. */
export async function buildTestImages() {
  mkdirSync(imageDirectory, { recursive: true });
  for (const recipe of recipes) {
    const archive = archivePath(recipe);
    if (existsSync(archive)) continue;
    const startedAt = Date.now();
    note(`building ${recipe.reference}${recipe.kind === 'debian' ? ' from Debian packages (30 to 120 s, once)' : ''}`);
    const temporary = `${archive}.${process.pid}.part`;
    const remove = () => rmSync(temporary, { force: true });
    const release = onInterrupt(remove);
    try {
      await (recipe.kind === 'busybox' ? buildBusyboxArchive : buildDebianArchive)(recipe, temporary);
      renameSync(temporary, archive);
    } finally {
      remove();
      release();
    }
    const megabytes = Math.round(statSync(archive).size / 1e6);
    note(`built ${recipe.reference}, ${megabytes} MB, in ${formatDuration(Date.now() - startedAt)}`);
    removeOlder(recipe, archive);
  }
}

/**
 * Imports the test images (or those in `names`: `busybox`, `python`) into the engine at `host`, skipping
 * what it has already. The archives must have been built: `test/host/up` does.
 *
 * @param {string} host
 * @param {{ names?: string[], quiet?: boolean }} [options]
 */
export async function loadTestImages(host, { names = recipes.map((recipe) => recipe.name), quiet = true } = {}) {
  for (const recipe of recipes.filter((candidate) => names.includes(candidate.name))) {
    if (await hasImage(host, recipe)) continue;
    const startedAt = Date.now();
    await importImage(host, recipe);
    if (!quiet) note(`loaded ${recipe.reference} in ${formatDuration(Date.now() - startedAt)}`);
  }
}

async function hasImage(host, recipe) {
  const { status, body } = await engineRequest(host, { path: `/images/${recipe.reference}/json` });
  return status === 200 && JSON.parse(body).Config?.Labels?.[RECIPE_LABEL] === recipeHash(recipe);
}

async function importImage(host, recipe) {
  const archive = archivePath(recipe);
  if (!existsSync(archive)) {
    throw new PlainError(`No archive of ${recipe.reference} at ${archive}.\nNext: run test/host/up, which builds it.`);
  }
  const [repository, tag] = recipe.reference.split(':');
  const query = new URLSearchParams({ fromSrc: '-', repo: repository, tag });
  for (const change of [...recipe.changes, `LABEL ${RECIPE_LABEL}=${recipeHash(recipe)}`])
    query.append('changes', change);
  const { status, body } = await engineRequest(host, {
    method: 'POST',
    path: `/images/create?${query}`,
    headers: { 'Content-Type': 'application/x-tar', 'Content-Length': statSync(archive).size },
    body: createReadStream(archive),
    timeoutMs: IMPORT_TIMEOUT_MS,
  });
  // A failure after the first byte of the answer arrives as a line with "error" in a 200.
  if (status !== 200 || body.includes('"error"')) {
    throw new PlainError(
      `${host} refused to import ${recipe.reference} (status ${status}): ${body.trim().slice(0, 500)}`,
    );
  }
}

function archivePath(recipe) {
  return join(imageDirectory, `${recipe.name}-${recipeHash(recipe)}.tar`);
}

function recipeHash(recipe) {
  return fingerprint({ ...recipe, architecture: process.arch });
}

/** Archives of earlier recipes of the same name, and what a killed run left of this one (`up` runs one at a time). */
function removeOlder(recipe, current) {
  const stale = new RegExp(`^${recipe.name}-[0-9a-f]{12}\\.tar(\\.\\d+\\.part)?$`);
  for (const file of readdirSync(imageDirectory)) {
    const path = join(imageDirectory, file);
    if (stale.test(file) && path !== current) rmSync(path, { force: true });
  }
}
