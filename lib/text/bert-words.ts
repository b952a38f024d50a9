/**
 * How BERT's uncased models cut text into words (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, basic
 * tokenization), by the rules of the Rust tokenizers that stand behind transformers' BertTokenizerFast.
 */

const NOTHING = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const SPACE = /\p{White_Space}/gu;
/**
 * Ideographs become words of their own. One block begins at 2B920 and not, as Unicode has it, at 2B820: an old slip of the
 * tokenizers, kept because the models were trained with it.
 */
const IDEOGRAPH =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const ACCENT = /\p{Mn}/gu;
/** Punctuation marks, and the ASCII symbols that Unicode does not count among them. */
const WORD = /[!-/:-@[-`{-~\p{P}]|[^ !-/:-@[-`{-~\p{P}]+/gu;

/** Without control characters, accents and capitals, with blanks around ideographs. */
export function normalizeForBert(text: string): string {
  const clean = text.replace(NOTHING, '').replace(SPACE, ' ').replace(IDEOGRAPH, ' $& ');
  const bare = clean.normalize('NFD').replace(ACCENT, '');
  // One character at a time: a sigma at the end of a word stays the common one.
  return Array.from(bare, (c) => c.toLowerCase()).join('');
}

/** The words of a text in order; each punctuation mark is one. */
export function bertWords(text: string): string[] {
  return normalizeForBert(text).match(WORD) ?? [];
}
