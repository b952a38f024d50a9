/** Weights that only some commands need: those of the perceptual loss and of FID. */
import fs from 'node:fs';
import { inceptionWeightsIfThere } from '../inception-weights';
import { vgg16File } from '../lpips-files';
import type { Check } from './check';

export function checkLpips(): Check {
  const name = 'LPIPS weights';
  const required = 'only for training autoencoders with perceptual_weight above 0';
  const { path: file } = vgg16File();
  if (fs.existsSync(file)) return { name, status: 'ok', found: file, required };
  const remedy = 'run `ldm download lpips`, or train with perceptual_weight=0';
  return { name, status: 'optional', found: `no ${file}`, required, remedy };
}

export function checkInception(): Check {
  const name = 'Inception weights';
  const required = 'only for FID (ldm evaluate)';
  const file = inceptionWeightsIfThere();
  if (file) return { name, status: 'ok', found: file, required };
  return {
    name,
    status: 'optional',
    found: 'not in the cache folder',
    required,
    remedy: 'run `ldm download inception`, or ldm evaluate --inception FILE',
  };
}
