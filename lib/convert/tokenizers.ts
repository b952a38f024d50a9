/** The tokenizer folders that text-to-image pipelines of diffusers come with; the vocabularies lie in this package. */
import fs from 'node:fs';
import path from 'node:path';
import { clipVocabulary } from '../text/clip-tokenizer';

const BERT_VOCABULARY = path.join(__dirname, '../../models/bert-base-uncased/vocab.txt');

/** Class in model_index.json. */
export const TOKENIZER_CLASS = { bert: 'BertTokenizer', clip: 'CLIPTokenizer' } as const;

/** Files of a tokenizer by name. @param length tokens of a text */
export function tokenizerFiles(kind: 'bert' | 'clip', length: number): Record<string, string> {
  return kind === 'bert' ? bertFiles(length) : clipFiles(length);
}

function bertFiles(length: number): Record<string, string> {
  const special = {
    cls_token: '[CLS]',
    mask_token: '[MASK]',
    pad_token: '[PAD]',
    sep_token: '[SEP]',
    unk_token: '[UNK]',
  };
  return {
    'special_tokens_map.json': json(special),
    'tokenizer_config.json': json({
      ...special,
      do_lower_case: true,
      model_max_length: length,
      strip_accents: null,
      tokenize_chinese_chars: true,
      tokenizer_class: 'BertTokenizer',
    }),
    'vocab.txt': fs.readFileSync(BERT_VOCABULARY, 'utf8'),
  };
}

function clipFiles(length: number): Record<string, string> {
  const { ids, ranks } = clipVocabulary();
  const special = {
    bos_token: '<|startoftext|>',
    eos_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
    unk_token: '<|endoftext|>',
  };
  return {
    'merges.txt': ['#version: 0.2', ...ranks.keys(), ''].join('\n'),
    'special_tokens_map.json': json(special),
    'tokenizer_config.json': json({
      ...special,
      add_prefix_space: false,
      do_lower_case: true,
      errors: 'replace',
      model_max_length: length,
      tokenizer_class: 'CLIPTokenizer',
    }),
    'vocab.json': JSON.stringify(Object.fromEntries(ids)),
  };
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
