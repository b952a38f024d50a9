/** official_bert_*: token ids through an official text or layout encoder. */
import { noGrad } from '../../../../lib/job';
import type { BERTEmbedder } from '../../../../lib/models';
import type { KindHandler } from '../../runner/case';

const officialBert: KindHandler = async (c) => {
  const { target, params } = c.model!.params!.cond_stage_config;
  const node = { target, params: { ...params, use_tokenizer: false } };
  const embedder = (await c.build(node, { prefix: 'cond_stage_model.' })) as BERTEmbedder;
  await c.out('z', await noGrad(() => embedder.encode(c.input('tokens'))));
};

export default officialBert;
