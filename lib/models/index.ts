/** Every typed model; each file registers its class for its target. One line a file, sorted. */
export * from './class-embedder';
export * from './ddpm';
export * from './encoder-unet-model';
export * from './init-from-ckpt';
export * from './latent-diffusion';
export * from './module';
export * from './registry';
export * from './unet-model';
