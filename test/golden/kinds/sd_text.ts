/** sd_text: token ids of texts, and what the text conditions of Stable Diffusion make of tokens. */
import { noGrad } from '../../../lib/job';
import type { TextEmbedder } from '../../../lib/models';
import { type CLIPManner, CLIPTokenizer } from '../../../lib/text';
import type { KindHandler } from '../runner/case';
import { keyList } from '../runner/key-list';

const sdText: KindHandler = async (c) => {
  const { prompts, manner } = c.meta as { prompts?: string[]; manner?: CLIPManner } & typeof c.meta;
  if (prompts) await c.out('ids', new CLIPTokenizer({ truncate: true, manner }).encode(prompts));
  for (const [tag, node] of Object.entries<{ target: string; params: object }>(c.meta.variants)) {
    const embedder = (await c.build(node, { fill: false })) as TextEmbedder;
    await c.fillDet(embedder, `${tag}.`);
    c.expectEqual(`keys of ${tag}`, await keyList(embedder), c.meta.keys![tag]);
    await c.out(`${tag}.c`, await noGrad(() => embedder.encode(c.input('tokens'))));
  }
};

export default sdText;
