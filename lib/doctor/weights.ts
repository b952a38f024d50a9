/** The weights of the perceptual loss: only training of an autoencoder needs them. */
import fs from 'node:fs';
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
