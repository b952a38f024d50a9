/** The weights of a model's perceptual loss, which have to be there before the first step. */
import { LdmError } from '../errors';
import { loadLpipsHeads, loadVggFromCache, loadVggWeights } from '../models/lpips-weights';
import type { Module } from '../models/module';

/** Where LPIPS lies in the models' key names. */
const PREFIX = 'loss.perceptual_loss.';

/**
 * Loads LPIPS' heads and VGG16 where the model's loss uses them and a checkpoint has not brought them.
 * @param options.file torchvision's VGG16 file; default: the cache folder
 * @param options.resumed whether a checkpoint that has these weights follows
 * @throws LdmError ERR_MISSING_WEIGHTS that says how to get the file, or how to train without it
 */
export async function preparePerceptualLoss(
  model: Module,
  options: { file?: string; resumed: boolean },
): Promise<void> {
  if (options.resumed || (await isReady(model))) return;
  await loadLpipsHeads(model, PREFIX);
  await (options.file === undefined ? loadVggFromCache(model, PREFIX) : loadVggWeights(model, options.file, PREFIX));
}

/** Models without such a loss are ready. */
async function isReady(model: Module): Promise<boolean> {
  try {
    return (await model.call('perceptualReady')).ready;
  } catch (error) {
    if (LdmError.is(error) && error.code === 'ERR_UNKNOWN_METHOD') return true;
    throw error;
  }
}
