/** Tokenizers. One line a file, sorted. */
export * from './bert-tokenizer';
export * from './clip-tokenizer';
export type * from './tokenizer';
