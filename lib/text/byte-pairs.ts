/**
 * Byte-pair encoding over the bytes of UTF-8 (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; Radford et al. 2019):
 * the most common pair in a word is joined first, until no known pair is left.
 */

/** Ends the last symbol of each word. */
export const WORD_END = '</w>';

/** A printable character for each byte, in the order of CLIP's vocabulary: printable ones first. */
const BYTES: readonly (readonly [byte: number, character: string])[] = (() => {
  const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
  const all = Array.from({ length: 256 }, (_, b) => b);
  const others = all.filter((b) => !printable(b)).map((b, i) => [b, String.fromCharCode(256 + i)] as const);
  return [...all.filter(printable).map((b) => [b, String.fromCharCode(b)] as const), ...others];
})();
const CHARACTER_OF = new Map(BYTES);

/** The characters that stand for bytes, in the vocabulary's order. */
export const byteCharacters = (): string[] => BYTES.map(([, character]) => character);

/**
 * The symbols of a word.
 * @param ranks place of each pair "a b" in the list of joins; earlier ones come first
 */
export function bytePairs(word: string, ranks: ReadonlyMap<string, number>): string[] {
  let symbols = Array.from(new TextEncoder().encode(word), (byte) => CHARACTER_OF.get(byte)!);
  symbols.push(symbols.pop()! + WORD_END);
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < symbols.length; i++)
      best = Math.min(best, ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? best);
    if (best === Number.POSITIVE_INFINITY) return symbols;
    const joined: string[] = [];
    for (let i = 0; i < symbols.length; i++) {
      const pair = i + 1 < symbols.length && ranks.get(`${symbols[i]} ${symbols[i + 1]}`) === best;
      joined.push(pair ? symbols[i] + symbols[++i] : symbols[i]);
    }
    symbols = joined;
  }
}
