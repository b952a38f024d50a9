import { LdmError } from '../../lib/errors';
import { BERTTokenizer } from '../../lib/text';

const tokenizer = new BERTTokenizer();

async function rows(texts: string | readonly string[], maxLength: number): Promise<number[][]> {
  using tensor = new BERTTokenizer({ maxLength }).encode(texts);
  const values = Array.from((await tensor.data()) as BigInt64Array, Number);
  return Array.from({ length: tensor.shape[0] }, (_, i) => values.slice(i * maxLength, (i + 1) * maxLength));
}

test('there are 30522 tokens', () => expect(tokenizer.vocabSize).toBe(30522));

test.each([
  ['words, capitals and punctuation', 'Hello, WORLD!', ['hello', ',', 'world', '!']],
  ['a long word in pieces', 'embeddings', ['em', '##bed', '##ding', '##s']],
  ['ASCII symbols count as punctuation', 'a+b=c', ['a', '+', 'b', '=', 'c']],
  ['accents, composed and not', 'caf\u00e9 cafe\u0301', ['cafe', 'cafe']],
  ['a capital with a dot', '\u0130s', ['is']],
  ['the final sigma stays the common one', '\u039f\u03a3', ['\u03bf', '##\u03c3']],
  ['ideographs are words', '\u4e2d\u56fd\u4eba', ['\u4e2d', '\u56fd', '\u4eba']],
  ['control characters vanish', 'so\u00adft\u200b\u0007\ufffd', ['soft']],
  ['every kind of white space', '\ta\u3000b\r\n\u2028c ', ['a', 'b', 'c']],
  ['special tokens anywhere, in capitals only', 'x[SEP]y [mask]', ['x', '[SEP]', 'y', '[', 'mask', ']']],
  ['a word that the vocabulary does not cover', 'a \u{1f600} b', ['a', '[UNK]', 'b']],
  ['nothing', ' ', []],
])('%s', (_, text, tokens) => expect(tokenizer.tokens(text)).toEqual(tokens));

test('words of up to 100 characters have pieces, longer ones are unknown', () => {
  expect(tokenizer.tokens('a'.repeat(100)).join('').replaceAll('#', '')).toBe('a'.repeat(100));
  expect(tokenizer.tokens('a'.repeat(101))).toEqual(['[UNK]']);
});

test('rows begin with [CLS], end with [SEP], and are filled up or cut', async () => {
  expect(await rows(['a painting', '', 'one two three four five'], 5)).toEqual([
    [101, 1037, 4169, 102, 0],
    [101, 102, 0, 0, 0],
    [101, 2028, 2048, 2093, 102],
  ]);
});

test('one text is one row; 77 tokens unless told otherwise', async () => {
  using tensor = tokenizer.encode('a painting');
  expect([tensor.shape, tensor.dtype]).toEqual([[1, 77], 'int64']);
});

test.each([1, 2.5, Number.NaN])('a length of %p is refused', (maxLength) => {
  expect(() => new BERTTokenizer({ maxLength })).toThrow(LdmError);
});
