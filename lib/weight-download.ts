/** Gets official files of weights to where they are looked for, and checks those that are there already. */
import fs from 'node:fs';
import { type DownloadOptions, digestOfFile, download } from './download';
import { LdmError } from './errors';
import type { WeightFile } from './lpips-files';

export interface WeightDownloadOptions extends Pick<DownloadOptions, 'signal' | 'answerTimeoutMs'> {
  /** A URL below which the files lie under their own names, in place of the official ones. */
  mirror?: string;
  /** Called while a file arrives; `total` is unknown where the server does not tell. */
  onProgress?: (file: WeightFile, received: number, total: number | undefined) => void;
}

/** What happened to one file. */
export interface DownloadedWeights {
  name: string;
  path: string;
  /** False when it was there already. */
  downloaded: boolean;
}

/** Refuses a file that is there but is not the official one. */
async function check({ path, digest }: WeightFile): Promise<void> {
  const found = await digestOfFile(path, digest.algorithm);
  if (found.startsWith(digest.hex)) return;
  throw new LdmError(
    'ERR_DOWNLOAD',
    `${path} is not the official file: its ${digest.algorithm} is ${found}, but ${digest.hex} is required. ` +
      'Remove it and run this again',
  );
}

/**
 * Gets a file, unless it is there already, and checks it. Rejects with `ERR_DOWNLOAD`, or with `ERR_ABORTED` when the signal
 * says so; an interrupted download is continued the next time.
 */
export async function obtainWeights(file: WeightFile, options: WeightDownloadOptions): Promise<DownloadedWeights> {
  const { name, path } = file;
  if (fs.existsSync(path)) {
    await check(file);
    return { name, path, downloaded: false };
  }
  const url = options.mirror ? `${options.mirror.replace(/\/+$/, '')}/${name}` : file.url;
  try {
    await download({
      url,
      file: path,
      digest: file.digest,
      signal: options.signal,
      answerTimeoutMs: options.answerTimeoutMs,
      onProgress: (received, total) => options.onProgress?.(file, received, total),
    });
  } catch (error) {
    if (!LdmError.is(error) || error.code === 'ERR_ABORTED') throw error;
    throw new LdmError(
      'ERR_DOWNLOAD',
      `${error.message}\nConnect to the network or use --mirror, or get ${name} by other means and put it at ${path}`,
      { cause: error },
    );
  }
  return { name, path, downloaded: true };
}
