/** Puts the published weights into LPIPS modules: the heads from this package, VGG16 from the cache folder. */
import fs from 'node:fs';
import { readCheckpoint } from '../checkpoint';
import { LdmError } from '../errors';
import { lpipsHeadsFile, vgg16File } from '../lpips-files';
import type { Tensor } from '../tensor';
import type { Module } from './module';

/** torchvision's layer number from which on a convolution belongs to the next slice of the LPIPS network. */
const SLICE_ENDS = [4, 9, 16, 23, 30];

/** Loads the five linear heads. @param prefix of the LPIPS module's keys, such as `loss.perceptual_loss.` */
export async function loadLpipsHeads(module: Module, prefix = ''): Promise<void> {
  const { path: file } = lpipsHeadsFile();
  using heads = await readCheckpoint(file);
  const state = new Map([...heads.stateDict].map(([name, tensor]) => [prefix + name, tensor]));
  await module.loadStateDict(state, { strict: false, source: file });
}

/** Loads the heads into the loss of a first stage, if that loss has any. */
export async function loadHeadsOfLoss(model: Module): Promise<void> {
  const prefix = 'loss.perceptual_loss.';
  const names = await keysOf(model);
  if (names.includes(`${prefix}lin0.model.1.weight`)) await loadLpipsHeads(model, prefix);
}

async function keysOf(module: Module): Promise<string[]> {
  const state = await module.stateDict();
  for (const tensor of state.values()) tensor.dispose();
  return [...state.keys()];
}

/**
 * Loads VGG16's convolutions from a torchvision state dict (`features.N.weight`; its classifier is not needed).
 * @throws LdmError ERR_CHECKPOINT when the file is no VGG16
 */
export async function loadVggWeights(module: Module, file: string, prefix = ''): Promise<void> {
  using vgg = await readCheckpoint(file);
  const state = new Map<string, Tensor>();
  for (const [name, tensor] of vgg.stateDict) {
    const layer = /^features\.(\d+)\.(weight|bias)$/.exec(name);
    if (!layer) continue;
    const slice = SLICE_ENDS.findIndex((end) => Number(layer[1]) < end) + 1;
    state.set(`${prefix}net.slice${slice}.${layer[1]}.${layer[2]}`, tensor);
  }
  const wanted = (await keysOf(module)).filter((name) => name.startsWith(`${prefix}net.`));
  const missing = wanted.filter((name) => !state.has(name));
  if (missing.length > 0)
    throw new LdmError(
      'ERR_CHECKPOINT',
      `Expected torchvision's VGG16 in ${file} (keys features.0.weight to features.28.bias) but ${missing.length} of ` +
        `its ${wanted.length} convolution tensors are not there`,
    );
  await module.loadStateDict(state, { strict: false, source: file });
}

/**
 * Loads VGG16 from the cache folder.
 * @throws LdmError ERR_MISSING_WEIGHTS that says how to get it when it is not there
 */
export async function loadVggFromCache(module: Module, prefix = ''): Promise<void> {
  const { path: file, url } = vgg16File();
  if (!fs.existsSync(file))
    throw new LdmError(
      'ERR_MISSING_WEIGHTS',
      `The perceptual loss needs VGG16's weights, but there is no ${file}. Run \`ldm download lpips\`, or put ` +
        `${url} there, or train without it: perceptual_weight=0 in the loss's params`,
    );
  await loadVggWeights(module, file, prefix);
}
