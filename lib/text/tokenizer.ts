/** What the conditioning stages need of a tokenizer. */
import type { Tensor } from '../tensor';

/** Turns texts into rows of token ids of one length. */
export interface Tokenizer {
  /** Tokens in a row. */
  readonly maxLength: number;
  /**
   * @param texts one text or several
   * @returns int64 [texts, maxLength] on the CPU
   */
  encode(texts: string | readonly string[]): Tensor;
}
