/** Sinusoidal embeddings of timesteps, by themselves. */
import { job } from '../job';
import { native } from '../native';
import { type Tensor, unwrapTensors, wrapTensors } from '../tensor';
import { createNative } from './module';

async function call(target: string, timesteps: Tensor, args: Record<string, unknown>): Promise<Tensor> {
  const functions = await createNative(target, {}, { device: timesteps.device });
  try {
    const given = unwrapTensors({ timesteps, ...args });
    return wrapTensors(await job(undefined, {}, (o) => native().call(functions, 'call', given, o))).embedding;
  } finally {
    functions.dispose();
  }
}

/**
 * That of the latent diffusion U-Nets (reference: ldm.modules.diffusionmodules.util.timestep_embedding): cosines, then
 * sines, at dim / 2 frequencies from 1 down to 1 / maxPeriod (exclusive).
 * @param timesteps [n]
 * @param options.maxPeriod default 10000
 * @param options.repeatOnly the timesteps themselves in each column, in their dtype. Default false
 * @returns [n, dim] float32; an odd `dim` has a last column of zeros
 */
export function timestepEmbedding(
  timesteps: Tensor,
  dim: number,
  options: { maxPeriod?: number; repeatOnly?: boolean } = {},
): Promise<Tensor> {
  const { maxPeriod = 10000, repeatOnly = false } = options;
  return call('ldm.modules.diffusionmodules.util.timestep_embedding', timesteps, { dim, maxPeriod, repeatOnly });
}

/**
 * That of the DDPM paper's U-Net (reference: ldm.modules.diffusionmodules.model.get_timestep_embedding): sines, then
 * cosines, at dim / 2 frequencies from 1 down to 1 / 10000 (inclusive).
 * @param timesteps [n]
 * @param dim at least 4
 * @returns [n, dim] float32; an odd `dim` has a last column of zeros
 */
export function getTimestepEmbedding(timesteps: Tensor, dim: number): Promise<Tensor> {
  return call('ldm.modules.diffusionmodules.model.get_timestep_embedding', timesteps, { dim });
}
