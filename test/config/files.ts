/** Temporary config files for tests. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A folder that is removed after the tests of a file, with a function that writes files into it. */
export function temporaryFiles(): (name: string, text: string) => string {
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-config-'));
  });
  afterAll(() => fs.rmSync(folder, { recursive: true }));
  return (name, text) => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, text);
    return file;
  };
}
