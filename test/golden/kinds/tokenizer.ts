/** tokenizer_*: texts to token ids. */
import { BERTTokenizer } from '../../../lib/text';
import type { KindHandler } from '../runner/case';

const tokenizer: KindHandler = async (c) => {
  const { prompts } = c.meta as unknown as { prompts: string[] };
  for (const maxLength of [77, 12]) await c.out(`ids${maxLength}`, new BERTTokenizer({ maxLength }).encode(prompts));
};

export default tokenizer;
