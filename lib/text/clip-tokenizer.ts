/**
 * The tokenizer of CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020; references: clip.tokenize,
 * open_clip.tokenize, transformers.CLIPTokenizer). Its vocabulary comes with this package.
 */
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { byteCharacters, bytePairs, WORD_END } from './byte-pairs';
import { type CLIPManner, cleanText } from './clean-text';
import type { Tokenizer } from './tokenizer';

const FILE = path.join(__dirname, '../../models/clip/bpe_simple_vocab_16e6.txt.gz');
/** Tokens in all: 512 bytes, the joins that were taken over from the file, and two special ones. */
const SIZE = 49408;
const START = '<|startoftext|>';
const END = '<|endoftext|>';
/** How texts may spell start and end themselves; everything is lower case by then. */
const SPECIAL: ReadonlyMap<string, string> = new Map([
  [START, START],
  [END, END],
  ['<start_of_text>', START],
  ['<end_of_text>', END],
]);
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/u.source;
const OPENAI = new RegExp(String.raw`<\|startoftext\|>|<\|endoftext\|>|${WORDS}`, 'giu');
const OPEN_CLIP = new RegExp(`<start_of_text>|<end_of_text>|${WORDS}`, 'giu');

export interface Vocabulary {
  ids: ReadonlyMap<string, number>;
  ranks: ReadonlyMap<string, number>;
}

let loaded: Vocabulary | undefined;

/** Read once, when the first text is tokenized. */
export function clipVocabulary(): Vocabulary {
  if (loaded) return loaded;
  const bytes = byteCharacters();
  const lines = gunzipSync(fs.readFileSync(FILE)).toString('utf8').split('\n');
  const joins = lines.slice(1, 1 + SIZE - 2 * bytes.length - 2);
  const symbols = [...bytes, ...bytes.map((b) => b + WORD_END), ...joins.map((j) => j.replace(' ', '')), START, END];
  loaded = {
    ids: new Map(symbols.map((symbol, id) => [symbol, id])),
    ranks: new Map(joins.map((join, rank) => [join, rank])),
  };
  return loaded;
}

export interface CLIPTokenizerOptions {
  /** Tokens in a row, start and end included; at least 2. Default 77. */
  maxLength?: number;
  /** Cut longer texts; otherwise they are refused, as in the reference. Default false. */
  truncate?: boolean;
  /**
   * 'openai' (default): as clip.tokenize does; rows are filled up with zeros. 'open_clip': as open_clip.tokenize does, which
   * differs in how a text may spell start and end itself. 'transformers': as transformers' CLIPTokenizer of
   * openai/clip-vit-large-patch14 does with ftfy installed; rows are filled up with <|endoftext|>, and HTML entities stay in
   * a text with "<".
   */
  manner?: CLIPManner;
}

/** Lower-cased byte-pair tokens between <|startoftext|> and <|endoftext|>. */
export class CLIPTokenizer implements Tokenizer {
  readonly maxLength: number;
  readonly truncate: boolean;
  readonly manner: CLIPManner;

  /** @throws LdmError ERR_INVALID_ARGUMENT for a length below 2 */
  constructor(options: CLIPTokenizerOptions = {}) {
    const { maxLength = 77, truncate = false, manner = 'openai' } = options;
    if (!Number.isInteger(maxLength) || maxLength < 2)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a maxLength of at least 2, for start and end, but received ${maxLength}`,
      );
    this.maxLength = maxLength;
    this.truncate = truncate;
    this.manner = manner;
  }

  /** Number of different tokens (49408). */
  get vocabSize(): number {
    return SIZE;
  }

  /** A text's token ids, without start and end, uncut. */
  tokenIds(text: string): number[] {
    const { ids, ranks } = clipVocabulary();
    const pattern = this.manner === 'open_clip' ? OPEN_CLIP : OPENAI;
    // transformers takes special tokens out before it cleans what lies between them.
    const parts = this.manner === 'transformers' ? text.split(/(<\|(?:start|end)oftext\|>)/) : [text];
    const words = parts.flatMap((part) => cleanText(part, this.manner).toLowerCase().match(pattern) ?? []);
    // The other library's spelling is never one word: its letters stand apart from its brackets.
    return words.flatMap((word) => {
      const special = SPECIAL.get(word);
      return special ? [ids.get(special)!] : bytePairs(word, ranks).map((symbol) => ids.get(symbol)!);
    });
  }

  /** @throws LdmError ERR_INVALID_ARGUMENT for a text that is too long, unless `truncate` is set */
  encode(texts: string | readonly string[]): Tensor {
    const all = typeof texts === 'string' ? [texts] : texts;
    const { ids } = clipVocabulary();
    const room = this.maxLength - 2;
    const rows = new BigInt64Array(all.length * this.maxLength);
    if (this.manner === 'transformers') rows.fill(BigInt(ids.get(END)!));
    for (const [i, text] of all.entries()) {
      const own = this.tokenIds(text);
      if (own.length > room && !this.truncate)
        throw new LdmError(
          'ERR_INVALID_ARGUMENT',
          `Expected a text of at most ${room} tokens but "${text.slice(0, 40)}..." has ${own.length}; shorten it, or set truncate`,
        );
      const row = [ids.get(START)!, ...own.slice(0, room), ids.get(END)!];
      rows.set(row.map(BigInt), i * this.maxLength);
    }
    return Tensor.from(rows, [all.length, this.maxLength]);
  }
}
