/** OpenAI's CLIP models: where their weights come from, where they are looked for. The package `clip` names them so. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheFolder } from './cache';
import { LdmError } from './errors';
import type { WeightFile } from './lpips-files';
import { type DownloadedWeights, obtainWeights, type WeightDownloadOptions } from './weight-download';

/** File and SHA-256 of each model with a vision transformer. */
const FILES = {
  'ViT-B/32': ['ViT-B-32.pt', '40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af'],
  'ViT-B/16': ['ViT-B-16.pt', '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f'],
  'ViT-L/14': ['ViT-L-14.pt', 'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836'],
  'ViT-L/14@336px': ['ViT-L-14-336px.pt', '3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02'],
} as const;

/** A published model. */
export type ClipVersion = keyof typeof FILES;
export const clipVersions = Object.keys(FILES) as ClipVersion[];

function clipFile(version: ClipVersion): WeightFile {
  const [name, sha256] = FILES[version];
  return {
    name,
    url: `https://openaipublic.azureedge.net/clip/models/${sha256}/${name}`,
    digest: { algorithm: 'sha256', hex: sha256 },
    path: path.join(cacheFolder(), 'clip', name),
  };
}

/** Gets the weights (890 MB for ViT-L/14) into the cache folder. Rejects as downloadLpips does. */
export function downloadClip(version: ClipVersion, options: WeightDownloadOptions = {}): Promise<DownloadedWeights> {
  return obtainWeights(clipFile(version), options);
}

/**
 * The file of a model: in the cache folder, or where the Python package `clip` puts it.
 * @throws LdmError ERR_MISSING_WEIGHTS when it is at neither place
 */
export function findClipWeights(version: ClipVersion): string {
  const { name, path: own, url } = clipFile(version);
  const places = [own, path.join(os.homedir(), '.cache', 'clip', name)];
  const found = places.find((file) => fs.existsSync(file));
  if (found) return found;
  throw new LdmError(
    'ERR_MISSING_WEIGHTS',
    `The weights of CLIP ${version} are not there. Looked for ${places.join(' and ')}. Get them with \`ldm download clip --clip_type ${version}\`, ` +
      `or from ${url}, or give a file of your own with --clip FILE (OpenAI's, a state dict of it, or CLIPModel of transformers).`,
  );
}
