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
  ['entities of all names and of capitals', 'caf&eacute; &NTILDE;', 'caf\u00e9 \u00f1'],
  ['bytes of Windows-1252 become what they are there', 'a\x85', 'a\u2026'],
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

describe('manners', () => {
  const of = (manner: 'openai' | 'open_clip' | 'transformers') => new CLIPTokenizer({ manner });

  test('transformers leaves entities in what may be HTML, from the line of the first "<" on', () => {
    const text = 'a &amp; b\n<b> c &amp; d';
    expect(of('transformers').tokenIds(text)).toEqual(of('openai').tokenIds('a & b <b> c &amp;amp;amp; d'));
    expect(of('openai').tokenIds(text)).toEqual(of('openai').tokenIds('a & b <b> c & d'));
  });

  test('each knows its own spelling of start and end', () => {
    expect(of('transformers').tokenIds('<|endoftext|>')).toEqual([49407]);
    expect(of('open_clip').tokenIds('<end_of_text> <START_OF_TEXT>')).toEqual([49407, 49406]);
    expect(of('open_clip').tokenIds('<|endoftext|>').length).toBeGreaterThan(3);
    expect(of('openai').tokenIds('<end_of_text>').length).toBeGreaterThan(3);
  });

  test('transformers fills up with the end, and texts are cut before it', async () => {
    using tokens = new CLIPTokenizer({ maxLength: 5, truncate: true, manner: 'transformers' }).encode([
      'a',
      'a b c d e',
    ]);
    const ids = Array.from((await tokens.data()) as BigInt64Array, Number);
    expect(ids).toEqual([49406, 320, 49407, 49407, 49407, 49406, 320, 321, 322, 49407]);
  });
});
