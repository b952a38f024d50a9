import fs from 'node:fs';
import { LdmError } from '../errors';

/** @throws LdmError ERR_FILE for a folder that is not there or cannot be read */
export function expectFolder(folder: string): void {
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new LdmError('ERR_FILE', `There is no folder ${folder}.`);
  try {
    fs.readdirSync(folder);
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read the folder ${folder}: ${(error as Error).message}`, { cause: error });
  }
}
