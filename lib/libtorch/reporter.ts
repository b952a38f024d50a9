/** How the acquisition of libtorch tells a person what it does. It prints nothing itself. */
export interface Reporter {
  /** A line of its own. */
  info(line: string): void;
  /** Progress of something countable; `total` is unknown where a server does not tell. */
  progress(label: string, done: number, total: number | undefined, unit: 'bytes' | 'files'): void;
}
