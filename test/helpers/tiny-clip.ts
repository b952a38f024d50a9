/** A CLIP model of a few thousand weights. */
import path from 'node:path';
import { writeSafetensors } from '../../lib/checkpoint';
import { CLIP } from '../../lib/models';
import { Generator } from '../../lib/random';

export const TINY_CLIP = {
  embed_dim: 16,
  image_resolution: 32,
  vision_layers: 1,
  vision_width: 64,
  vision_patch_size: 8,
  context_length: 77,
  vocab_size: 49408,
  transformer_width: 8,
  transformer_heads: 1,
  transformer_layers: 1,
};

/** Writes its weights. */
export async function writeTinyClip(folder: string, seed = 3): Promise<string> {
  const file = path.join(folder, `clip-${seed}.safetensors`);
  using clip = await CLIP.create(TINY_CLIP, { random: new Generator(seed) });
  await writeSafetensors(file, await clip.stateDict());
  return file;
}
