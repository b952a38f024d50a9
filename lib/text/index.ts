/** Tokenizers. One line a file, sorted. */
export * from './bert-tokenizer';
export type * from './tokenizer';
