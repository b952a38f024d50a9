import { LdmError } from '../../lib/errors';
import { CLIPTokenizer } from '../../lib/text';
import { cleanText } from '../../lib/text/clean-text';

const tokenizer = new CLIPTokenizer();
const ids = (text: string) => tokenizer.tokenIds(text);

async function rows(texts: string | readonly string[], maxLength: number, truncate = false): Promise<number[][]> {
  using tensor = new CLIPTokenizer({ maxLength, truncate }).encode(texts);
  const values = Array.from((await tensor.data()) as BigInt64Array, Number);
  return Array.from({ length: tensor.shape[0] }, (_, i) => values.slice(i * maxLength, (i + 1) * maxLength));
}

test('known words are one token', () => expect(ids('a photo of a cat')).toEqual([320, 1125, 539, 320, 2368]));

test.each([
  ['capitals and white space do not count', ' A\tPhoto\n of  a CAT ', 'a photo of a cat'],
  ['endings of words are cut off', "it's", "it 's"],
  ['digits stand alone', '314', '3 1 4'],
  ['curly quotes become straight', '\u201cit\u2019s\u201d', '"it\'s"'],
  ['ligatures and wide letters become plain', '\ufb01ne \uff21', 'fine a'],
  ['entities become what they stand for, twice', '&amp;lt;b&#62; &#x41;', '<b> a'],
  ['accents are composed', 'cafe\u0301', 'caf\u00e9'],
  ['control characters vanish', 'c\u0007a\ufefft', 'cat'],
])('%s', (_, text, same) => expect(ids(text)).toEqual(ids(same)));

test('every text has tokens: what is in no join is bytes', () => {
  expect(ids('\u{1fae8}')).not.toContain(undefined);
  expect(ids('\u{1fae8}').length).toBeGreaterThan(1);
});

test('special tokens may stand in a text', () => expect(ids('<|endoftext|>')).toEqual([49407]));

test('rows have start and end and are filled up with zeros', async () => {
  expect(await rows(['a cat', ''], 5)).toEqual([
    [49406, 320, 2368, 49407, 0],
    [49406, 49407, 0, 0, 0],
  ]);
});

test('a text that is too long is refused, or cut with its end kept', async () => {
  expect(() => new CLIPTokenizer({ maxLength: 4 }).encode('a photo of a cat')).toThrow(/at most 2 tokens.*has 5/);
  expect(await rows('a photo of a cat', 4, true)).toEqual([[49406, 320, 1125, 49407]]);
});

test('a length below 2 is refused', () => expect(() => new CLIPTokenizer({ maxLength: 1 })).toThrow(LdmError));

test('cleaning keeps what it does not know', () => {
  expect(cleanText('AT&T &unknown; &apos &#0; \ud800')).toBe('AT&T &unknown; &apos \ufffd \ufffd');
});
