/**
 * The two files of the perceptual loss LPIPS: torchvision's VGG16 and the linear heads of LPIPS v0.1 (Zhang et al. 2018),
 * as CompVis' taming-transformers fetches them. Where they lie, where they come from, and how they are checked.
 */
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../cache';
import { type DownloadOptions, digestOfFile, download, type ExpectedDigest } from '../download';
import { LdmError } from '../errors';

export interface WeightFile {
  name: string;
  /** What it is, for people. */
  title: string;
  urls: readonly string[];
  digest: ExpectedDigest;
}

/** The files by their part in the network. */
export const LPIPS_FILES = {
  /** VGG16 trained on ImageNet; torchvision puts the first digits of the SHA-256 into the name. */
  trunk: {
    name: 'vgg16-397923af.pth',
    title: 'VGG16 (528 MB)',
    urls: ['https://download.pytorch.org/models/vgg16-397923af.pth'],
    digest: { algorithm: 'sha256', hex: '397923af' },
  },
  /** The heads that weigh the five feature maps (BSD-2-Clause). */
  heads: {
    name: 'vgg.pth',
    title: 'linear heads of LPIPS v0.1 (7 KB)',
    urls: [
      'https://heibox.uni-heidelberg.de/f/607503859c864bc1b30b/?dl=1',
      'https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth',
    ],
    digest: { algorithm: 'md5', hex: 'd507d7349b931f0638a25a48a722f98a' },
  },
} as const satisfies Record<string, WeightFile>;

export type LpipsPart = keyof typeof LPIPS_FILES;

/** Where a file lies in the cache folder, whether or not it is there. */
export function lpipsPath(part: LpipsPart): string {
  return path.join(cacheFolder(), 'lpips', LPIPS_FILES[part].name);
}

/** The parts whose file is not in the cache folder. */
export function missingLpipsParts(): LpipsPart[] {
  return (Object.keys(LPIPS_FILES) as LpipsPart[]).filter((part) => !fs.existsSync(lpipsPath(part)));
}

export interface DownloadLpipsOptions extends Pick<DownloadOptions, 'signal' | 'answerTimeoutMs'> {
  /** A URL below which both files lie under their own names, in place of the official ones. */
  mirror?: string;
  onProgress?: (file: WeightFile, received: number, total: number | undefined) => void;
}

/** What happened to one file. */
export interface DownloadedWeights {
  file: string;
  path: string;
  /** False when it was there already. */
  downloaded: boolean;
}

async function obtain(part: LpipsPart, options: DownloadLpipsOptions): Promise<DownloadedWeights> {
  const entry: WeightFile = LPIPS_FILES[part];
  const file = lpipsPath(part);
  if (fs.existsSync(file)) {
    const found = await digestOfFile(file, entry.digest.algorithm);
    if (found.startsWith(entry.digest.hex)) return { file: entry.name, path: file, downloaded: false };
    throw new LdmError(
      'ERR_DOWNLOAD',
      `${file} is not the official file: its ${entry.digest.algorithm} is ${found}, but ${entry.digest.hex} is required. ` +
        'Remove it and run this again',
    );
  }
  const urls = options.mirror ? [`${options.mirror.replace(/\/+$/, '')}/${entry.name}`] : entry.urls;
  const problems: string[] = [];
  for (const url of urls) {
    try {
      await download({
        url,
        file,
        digest: entry.digest,
        signal: options.signal,
        answerTimeoutMs: options.answerTimeoutMs,
        onProgress: (received, total) => options.onProgress?.(entry, received, total),
      });
      return { file: entry.name, path: file, downloaded: true };
    } catch (error) {
      if (!LdmError.is(error) || error.code === 'ERR_ABORTED') throw error;
      problems.push(error.message);
    }
  }
  throw new LdmError(
    'ERR_DOWNLOAD',
    `${problems.join('\n')}\nConnect to the network or use --mirror, or get ${entry.name} by other means and put it at ${file}`,
  );
}

/**
 * Gets both files into the cache folder and checks them; a file that is there already is only checked. Rejects with
 * `ERR_DOWNLOAD`, or `ERR_ABORTED` when the signal says so; an interrupted download is continued the next time.
 */
export async function downloadLpips(options: DownloadLpipsOptions = {}): Promise<DownloadedWeights[]> {
  return [await obtain('heads', options), await obtain('trunk', options)];
}
