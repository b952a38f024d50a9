/** cond_stages: what labels, images and tokens become before they condition a U-Net. */
import { noGrad } from '../../../lib/job';
import type { Module } from '../../../lib/models';
import type { KindHandler } from '../runner/case';

interface Stage {
  name: string;
  params: object;
  input: string;
  training?: boolean;
}

const rescaler = (params: object): Stage => ({ name: 'SpatialRescaler', params, input: 'img' });
const bert = (input: string, params: object = {}, training = false): Stage => ({
  name: 'BERTEmbedder',
  params: { n_embed: 32, n_layer: 2, vocab_size: 64, max_seq_len: 8, use_tokenizer: false, ...params },
  input,
  training,
});

/** By the tag of the case's outputs and weights. */
const STAGES: Record<string, Stage> = {
  class: { name: 'ClassEmbedder', params: { embed_dim: 24, n_classes: 11, key: 'class_label' }, input: 'labels' },
  rescaler_nearest: rescaler({ n_stages: 2, method: 'nearest' }),
  rescaler_bilinear: rescaler({ n_stages: 2, method: 'bilinear' }),
  rescaler_bicubic: rescaler({ n_stages: 2, method: 'bicubic' }),
  rescaler_area: rescaler({ n_stages: 2, method: 'area' }),
  rescaler_map: rescaler({ n_stages: 1, in_channels: 5, out_channels: 3 }),
  rescaler_map_bias: rescaler({ n_stages: 0, in_channels: 5, out_channels: 3, bias: true }),
  rescaler_mult15: rescaler({ n_stages: 1, multiplier: 1.5 }),
  transformer: {
    name: 'TransformerEmbedder',
    params: { n_embed: 32, n_layer: 2, vocab_size: 64, max_seq_len: 8 },
    input: 'tokens',
  },
  bert: bert('tokens'),
  bert_short: bert('tokens5'),
  bert_dropout_train: bert('tokens', { embedding_dropout: 0.2 }, true),
};

const condStage: KindHandler = async (c) => {
  for (const [tag, { name, params, input, training }] of Object.entries(STAGES)) {
    const node = { target: `ldm.modules.encoders.modules.${name}`, params };
    const stage: Module = await c.build(node, { fill: false });
    await c.fillDet(stage, `${tag}.`);
    const shapes = [...(await stage.stateDict())].map(([key, tensor]) => [key, tensor.shape]);
    c.expectEqual(`keys of ${tag}`, Object.fromEntries(shapes), c.meta.keys![tag]);
    await stage.train(training ?? false);
    const random = c.tape(`${tag}.`);
    const { c: y } = await noGrad(() => stage.call('encode', { input: c.input(input) }, { random }));
    await random.finish();
    await c.out(`${tag}.y`, y);
  }
};

export default condStage;
