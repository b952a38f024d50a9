/** Tokenizers. One line a file, sorted. */
export * from './bert-tokenizer';
export type { CLIPManner } from './clean-text';
export * from './clip-tokenizer';
export type * from './tokenizer';
