/** Where the data sets of the reference lie: below the folder that it calls `data`. */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';

/** A place with files of a data set, and what to tell where they are missing. */
export class DataFolder {
  /** Absolute path of what the reference calls `data`. */
  readonly root: string;
  readonly #dataset: string;
  readonly #origin: string;
  readonly #howToGet: string;

  /**
   * @param options.dataset name for messages
   * @param options.root the `data_root` of a config; null: $LDM_DATA, or else `data` in the current folder
   * @param options.howToGet sentences that tell where the files come from
   */
  constructor(options: { dataset: string; root: string | null; howToGet: string }) {
    const given = options.root ?? (process.env.LDM_DATA || null);
    this.root = path.resolve(given ?? 'data');
    this.#origin = options.root !== null ? 'data_root' : given !== null ? '$LDM_DATA' : "'data' in the current folder";
    this.#dataset = options.dataset;
    this.#howToGet = options.howToGet;
  }

  /** @throws LdmError ERR_DATA when there is no such file or folder; `what` says what it should be */
  existing(name: string, what: string): string {
    const file = path.resolve(this.root, name);
    if (fs.existsSync(file)) return file;
    throw new LdmError(
      'ERR_DATA',
      `${this.#dataset} needs ${file} (${what}), which is not there. ${this.#howToGet} Looked in ${this.root}, which is ${this.#origin}; give another folder with the parameter data_root or with LDM_DATA.`,
    );
  }

  /** The lines of a list. @throws LdmError ERR_DATA when it is not there or empty */
  lines(name: string, what: string): string[] {
    return readLines(this.existing(name, what));
  }
}

/** The lines of a text file that are not empty. @throws LdmError ERR_FILE, and ERR_DATA when there are none */
export function readLines(file: string): string[] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read the list ${file}: ${(error as Error).message}`, { cause: error });
  }
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line !== '');
  if (lines.length === 0) throw new LdmError('ERR_DATA', `The list ${file} is empty. Expected one path on each line.`);
  return lines;
}
