/** What the data loader and its worker threads say to each other. */
import type { Preprocessed } from '../preprocess/preprocessor';

export interface Request {
  id: number;
  /** Name of the preprocessor. */
  name: string;
  args: unknown;
  /** Names the stream of random numbers (DataRandom.key). */
  key: readonly number[];
}

export interface Answer {
  id: number;
  result?: Preprocessed;
  error?: { code: string; message: string };
}
