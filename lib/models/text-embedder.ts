/** What the conditioning stages that take texts have in common. */
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { NativeObject } from '../native';
import { Tensor } from '../tensor';
import type { Tokenizer } from '../text';
import { Module } from './module';

/** A network over the tokens of texts. */
export class TextEmbedder extends Module {
  /** Null for a stage that is made for token ids of another kind. */
  readonly tokenizer: Tokenizer | null;

  /** @internal */
  constructor(handle: NativeObject, tokenizer: Tokenizer | null) {
    super(handle);
    this.tokenizer = tokenizer;
  }

  /**
   * What a U-Net attends to.
   * @param input texts, or token ids as the stage's tokenizer gives them (int64 [n, tokens])
   * @returns [n, tokens, width]
   * @throws LdmError ERR_INVALID_ARGUMENT for tokens of another shape, or texts without a tokenizer; ERR_TORCH for tokens
   *   out of range
   */
  async encode(input: Tensor | string | readonly string[], options?: CallOptions): Promise<Tensor> {
    return this.withTokens(input, async (x) => (await this.call('encode', { input: x }, options)).c);
  }

  /** Runs something on the tokens of `input`. @internal */
  protected async withTokens(
    input: Tensor | string | readonly string[],
    run: (tokens: Tensor) => Promise<Tensor>,
  ): Promise<Tensor> {
    if (input instanceof Tensor) return run(input);
    if (!this.tokenizer)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'Expected token ids but received text, and this model has no tokenizer (use_tokenizer is false)',
      );
    using tokens = this.tokenizer.encode(input);
    using moved = tokens.to({ device: this.device });
    return await run(moved);
  }
}
