/** Which conditioning stages take texts, and how those become tokens. */
import type { ResolvedNode, ResolvedParams } from '../config';
import type { Tokenizer } from '../text';

/** From a stage's resolved options to its tokenizer; null when the options say that it takes tokens. */
export type TokenizerFactory = (params: ResolvedParams) => Tokenizer | null;

const factories = new Map<string, TokenizerFactory>();

/** Makes the tokenizer of a conditioning stage known; each stage's file registers its own. */
export function registerConditionTokenizer(target: string, factory: TokenizerFactory): void {
  factories.set(target, factory);
}

/** The tokenizer of a `cond_stage_config`; null for a stage that takes no texts, and for none at all. */
export function conditionTokenizer(stage: unknown): Tokenizer | null {
  if (typeof stage !== 'object' || stage === null) return null;
  const { target, params } = stage as ResolvedNode;
  return factories.get(target)?.(params) ?? null;
}
