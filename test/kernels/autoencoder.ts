/** Options of AutoencoderKL for tests of the kernels; by default wide enough for Winograd's algorithm at both resolutions. */
export const kernelAutoencoder = (ddconfig: { ch?: number; ch_mult?: number[] } = {}) => ({
  embed_dim: 4,
  ddconfig: {
    double_z: true,
    z_channels: 4,
    resolution: 64,
    in_channels: 3,
    out_ch: 3,
    ch: 64,
    ch_mult: [1, 2],
    num_res_blocks: 1,
    attn_resolutions: [],
    dropout: 0,
    ...ddconfig,
  },
  lossconfig: { target: 'torch.nn.Identity' },
});
