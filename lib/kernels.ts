import { LdmError } from './errors';
import { type BackendOptions, native } from './native';

/**
 * Which algorithms compute on the CPU in fp32 where no gradients are needed. `fast` (the default): Winograd convolution
 * (Lavin & Gray 2016), group normalization and SiLU in two passes over memory; a layer's rounding error stays below 1e-5 of its
 * largest value, and the golden cases within their allowances. `exact`: libtorch's own operators, as the reference calls them.
 */
export type KernelPolicy = 'exact' | 'fast';

/**
 * Sets the policy of the process; holds from the next job on. The environment variable `LDM_KERNELS` does the same at start.
 * @throws LdmError ERR_INVALID_ARGUMENT for another word
 */
export function setKernelPolicy(policy: KernelPolicy): void {
  if (policy !== 'exact' && policy !== 'fast')
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected 'exact' or 'fast' kernels but received '${policy}'`);
  native().setFastKernels(policy === 'fast');
}

/**
 * Chooses among the kernels of a GPU, for the process; holds from the next job on. The environment variables `LDM_TF32` (off,
 * convolutions or all) and `LDM_CUDA_GRAPHS=1` do the same at start.
 * @throws LdmError ERR_INVALID_ARGUMENT for an unknown value
 */
export function configureBackend(options: BackendOptions): void {
  native().configureBackend(options);
}
