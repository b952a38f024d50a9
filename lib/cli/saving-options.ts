/** Options of commands that save time or memory at inference. */
import { Option } from 'commander';
import { integerFrom } from './values';

/** `--tile`: first stages work through large images by strips. */
export function tileOption(): Option {
  return new Option(
    '--tile <n>',
    'encode and decode images of more than n x n pixels by strips, in memory that follows n: less of it, more time, the same picture',
  ).argParser(integerFrom(8));
}

/** How weights are stored for a number format: those of bf16 on the CPU as bfloat16, else as the command likes. */
export function compactFor(precision: string, device: string): 'bfloat16' | undefined {
  return precision === 'bf16' && device === 'cpu' ? 'bfloat16' : undefined;
}
