/**
 * The tokenizer of bert-base-uncased (reference: ldm.modules.encoders.modules.BERTTokenizer, which is transformers'
 * BertTokenizerFast). Its vocabulary comes with this package.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import { Tensor } from '../tensor';
import { bertWords } from './bert-words';
import type { Tokenizer } from './tokenizer';
import { wordPieces } from './word-piece';

const FILE = path.join(__dirname, '../../models/bert-base-uncased/vocab.txt');
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;
/** Special tokens are found in a text before anything else is done with it. */
const SPECIAL_PATTERN = /(\[(?:PAD|UNK|CLS|SEP|MASK)\])/;

interface Vocabulary {
  ids: ReadonlyMap<string, number>;
  pieces: readonly string[];
  special: Record<(typeof SPECIAL)[number], number>;
}

let loaded: Vocabulary | undefined;

/** Read once, when the first text is tokenized. */
function vocabulary(): Vocabulary {
  if (loaded) return loaded;
  const pieces = fs.readFileSync(FILE, 'utf8').trimEnd().split('\n');
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const special = Object.fromEntries(SPECIAL.map((token) => [token, ids.get(token)!])) as Vocabulary['special'];
  loaded = { ids, pieces, special };
  return loaded;
}

/** WordPiece tokens between [CLS] and [SEP], cut or filled up with [PAD] to a fixed length. */
export class BERTTokenizer implements Tokenizer {
  readonly maxLength: number;

  /**
   * @param options.maxLength tokens in a row, [CLS] and [SEP] included; at least 2. Default 77.
   * @throws LdmError ERR_INVALID_ARGUMENT for another length
   */
  constructor(options: { maxLength?: number } = {}) {
    const { maxLength = 77 } = options;
    if (!Number.isInteger(maxLength) || maxLength < 2)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected a maxLength of at least 2, for [CLS] and [SEP], but received ${maxLength}`,
      );
    this.maxLength = maxLength;
  }

  /** Number of different tokens (30522). */
  get vocabSize(): number {
    return vocabulary().pieces.length;
  }

  /** A text's token ids, without [CLS] and [SEP], uncut. */
  tokenIds(text: string): number[] {
    const { ids, special } = vocabulary();
    return text.split(SPECIAL_PATTERN).flatMap((part, i) => {
      // Splitting by a pattern with a group puts what it matched at the odd places.
      if (i % 2 === 1) return [special[part as keyof typeof special]];
      return bertWords(part).flatMap((word) => wordPieces(word, ids, special['[UNK]']));
    });
  }

  /** The same as pieces of text, for reading; "##" marks what goes on with a word. */
  tokens(text: string): string[] {
    const { pieces } = vocabulary();
    return this.tokenIds(text).map((id) => pieces[id]);
  }

  encode(texts: string | readonly string[]): Tensor {
    const all = typeof texts === 'string' ? [texts] : texts;
    const { special } = vocabulary();
    const rows = new BigInt64Array(all.length * this.maxLength).fill(BigInt(special['[PAD]']));
    for (const [i, text] of all.entries()) {
      const ids = [special['[CLS]'], ...this.tokenIds(text).slice(0, this.maxLength - 2), special['[SEP]']];
      rows.set(ids.map(BigInt), i * this.maxLength);
    }
    return Tensor.from(rows, [all.length, this.maxLength]);
  }
}
