/** diffusers' layout: key maps to the official one, and reading of its folders' weights. */
export { autoencoderKeys } from './autoencoder-keys';
export { diffusersShape, type KeyPair, officialShape, prefixed, toDiffusers, toOfficial } from './key-map';
export { clipTextKeys, ldmBertKeys, openClipTextKeys } from './text-keys';
export { type UNetParams, unetKeys } from './unet-keys';
export { findTensor, listVariants, openWeights, type Weights } from './weights';
