/**
 * The statistics of a first stage's latents, in a file beside its checkpoint (`last.ckpt` -> `last.latents.json`): the
 * checkpoint itself stays as it is, so that its checksum does, too. Training a diffusion model finds its scale factor there.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { LdmError } from '../errors';
import { writeFileAtomic } from '../pictures/picture';

const statistics = z.object({
  /** Of the checkpoint that was measured; see {@link fingerprint}. */
  fingerprint: z.string(),
  /** What was measured: a folder, or a part of a config's data. */
  data: z.string(),
  images: z.number(),
  /** Side of the images. */
  size: z.number(),
  seed: z.number(),
  /** Shape of one latent: channels, height, width. */
  shape: z.array(z.number()),
  elements: z.number(),
  mean: z.number(),
  std: z.number(),
  /** 1 / std: what `scale_by_std` of the reference sets `scale_factor` to. */
  scale_factor: z.number().positive(),
  channel_mean: z.array(z.number()),
  channel_std: z.array(z.number()),
  min: z.number(),
  max: z.number(),
  /** Counts of equally wide bins from `from` to `to`, and how many elements lie outside. */
  histogram: z.object({ from: z.number(), to: z.number(), counts: z.array(z.number()), outside: z.number() }),
});

/** Mean, spread and histogram of latents before they are scaled. */
export type LatentStatistics = z.infer<typeof statistics>;

/** Where the statistics of a checkpoint are kept. */
export function latentSidecar(checkpoint: string): string {
  return `${checkpoint.slice(0, checkpoint.length - path.extname(checkpoint).length)}.latents.json`;
}

/**
 * Tells checkpoints apart without reading them whole: size, first and last 64 KiB, where safetensors and zip archives have the
 * shapes and checksums of all tensors.
 */
export function fingerprint(checkpoint: string): string {
  const part = 65536;
  const file = fs.openSync(checkpoint, 'r');
  try {
    const { size } = fs.fstatSync(file);
    const hash = createHash('sha256').update(String(size));
    for (const from of [0, Math.max(0, size - part)]) {
      const bytes = Buffer.alloc(Math.min(part, size));
      fs.readSync(file, bytes, 0, bytes.length, from);
      hash.update(bytes);
    }
    return hash.digest('hex');
  } finally {
    fs.closeSync(file);
  }
}

/** Writes the statistics beside their checkpoint; returns the file. */
export function writeLatentStatistics(checkpoint: string, found: LatentStatistics): string {
  const file = latentSidecar(checkpoint);
  writeFileAtomic(file, `${JSON.stringify(found, null, 2)}\n`);
  return file;
}

/**
 * The statistics beside a checkpoint; undefined where there are none.
 * @returns `stale` when the checkpoint has changed since
 * @throws LdmError ERR_DATA when the file is damaged
 */
export function readLatentStatistics(
  checkpoint: string,
): { file: string; statistics: LatentStatistics; stale: boolean } | undefined {
  const file = latentSidecar(checkpoint);
  if (!fs.existsSync(file) || !fs.existsSync(checkpoint)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {}
  const parsed = statistics.safeParse(content);
  if (!parsed.success)
    throw new LdmError('ERR_DATA', `${file} holds no statistics of latents. Run \`ldm stats\` again, or remove it.`);
  return { file, statistics: parsed.data, stale: parsed.data.fingerprint !== fingerprint(checkpoint) };
}
