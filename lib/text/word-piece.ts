/** WordPiece: a word as the longest pieces of a vocabulary, from left to right (Wu et al. 2016, https://arxiv.org/abs/1609.08144). */

/** Longer words are unknown, whatever they are made of. */
const LONGEST_WORD = 100;

/**
 * The ids of a word's pieces; `[unknown]` when the vocabulary does not cover it.
 * @param vocabulary ids by piece; pieces that go on with a word begin with "##"
 */
export function wordPieces(word: string, vocabulary: ReadonlyMap<string, number>, unknown: number): number[] {
  const characters = Array.from(word);
  if (characters.length > LONGEST_WORD) return [unknown];
  const ids: number[] = [];
  let start = 0;
  while (start < characters.length) {
    let end = characters.length;
    let id: number | undefined;
    for (; end > start; end--) {
      id = vocabulary.get((start > 0 ? '##' : '') + characters.slice(start, end).join(''));
      if (id !== undefined) break;
    }
    if (id === undefined) return [unknown];
    ids.push(id);
    start = end;
  }
  return ids;
}
