/** Every typed model; each file registers its class for its target. One line a file, sorted. */
export * from './autoencoder-kl';
export * from './class-embedder';
export * from './ddpm';
export * from './diagonal-gaussian-distribution';
export * from './encoder-unet-model';
export * from './identity-first-stage';
export * from './image-autoencoder';
export * from './init-from-ckpt';
export * from './latent-diffusion';
export * from './lpips';
export * from './lpips-with-discriminator';
export * from './module';
export * from './n-layer-discriminator';
export * from './registry';
export * from './trainable-autoencoder';
export * from './unet-model';
export * from './vq-model-interface';
