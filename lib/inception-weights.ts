/** The Inception v3 of FID: where its weights come from, where they are looked for. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheFolder } from './cache';
import { LdmError } from './errors';
import type { WeightFile } from './lpips-files';
import { type DownloadedWeights, obtainWeights, type WeightDownloadOptions } from './weight-download';

/** pytorch-fid's conversion of TensorFlow's inception-2015-12-05 (91 MB); its name carries the beginning of its SHA-256. */
function inceptionFile(): WeightFile {
  const name = 'pt_inception-2015-12-05-6726825d.pth';
  return {
    name,
    url: `https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/${name}`,
    digest: { algorithm: 'sha256', hex: '6726825d' },
    path: path.join(cacheFolder(), 'inception', name),
  };
}

/** Gets the weights into the cache folder. Rejects as downloadLpips does. */
export function downloadInception(options: WeightDownloadOptions = {}): Promise<DownloadedWeights> {
  return obtainWeights(inceptionFile(), options);
}

/** The file in the cache folder or where PyTorch puts it, or undefined. */
export function inceptionWeightsIfThere(): string | undefined {
  return places().find((file) => fs.existsSync(file));
}

/**
 * The file of the weights.
 * @param given a file of the user's own
 * @throws LdmError ERR_MISSING_WEIGHTS when it is nowhere
 */
export function findInceptionWeights(given?: string): string {
  if (given !== undefined) {
    if (fs.existsSync(given)) return given;
    throw new LdmError('ERR_MISSING_WEIGHTS', `There are no Inception weights ${given}.`);
  }
  const found = inceptionWeightsIfThere();
  if (found) return found;
  throw new LdmError(
    'ERR_MISSING_WEIGHTS',
    `FID needs the weights of Inception v3, which are not there. Looked for ${places().join(' and ')}. Get them with \`ldm download inception\` or from ${inceptionFile().url}, or give a file with --inception FILE.`,
  );
}

function places(): string[] {
  const { name, path: own } = inceptionFile();
  const torchHome = process.env.TORCH_HOME ?? path.join(os.homedir(), '.cache', 'torch');
  return [own, path.join(torchHome, 'hub', 'checkpoints', name)];
}
