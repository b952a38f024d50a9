/** clip_*: token ids of texts, embeddings of tokens and images, and the text embedding as context. */
import { noGrad } from '../../../lib/job';
import { CLIP, FrozenCLIPTextEmbedder } from '../../../lib/models';
import { CLIPTokenizer } from '../../../lib/text';
import type { KindHandler } from '../runner/case';

/** The model of clip_text_image. */
const SIZES = {
  embed_dim: 16,
  image_resolution: 32,
  vision_layers: 2,
  vision_width: 64,
  vision_patch_size: 16,
  context_length: 6,
  vocab_size: 100,
  transformer_width: 64,
  transformer_heads: 1,
  transformer_layers: 2,
};

const clip: KindHandler = async (c) => {
  await c.out('bpe_ids', new CLIPTokenizer().encode(c.meta.prompts as string[]));
  await c.out('bpe_ids_long', new CLIPTokenizer({ truncate: true }).encode('word '.repeat(120)));

  const tape = c.tape();
  const model = (await c.build({ target: CLIP.target, params: SIZES }, { fill: false, tape })) as CLIP;
  await tape.finish();
  await c.fillDet(model, 'clip.');
  const shapes = [...(await model.stateDict())].map(([name, tensor]) => [name, tensor.shape]);
  c.expectEqual('keys', Object.fromEntries(shapes), c.meta.keys);
  await c.out('text', await noGrad(() => model.encodeText(c.input('tokens'))));
  await c.out('image', await noGrad(() => model.encodeImage(c.input('image224norm'))));

  const node = { target: FrozenCLIPTextEmbedder.target, params: { version: SIZES, n_repeat: 3 } };
  const embedder = (await c.build(node, { fill: false })) as FrozenCLIPTextEmbedder;
  const state = [...(await model.stateDict())].map(([name, tensor]) => [`model.${name}`, tensor] as const);
  await embedder.loadStateDict(new Map(state));
  await c.out('embedder_encode_nrepeat3', await noGrad(() => embedder.encode(c.input('tokens'))));
};

export default clip;
