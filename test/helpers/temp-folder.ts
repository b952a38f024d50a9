/** A fresh folder for each test, removed afterwards. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Call at the top of a test file or a describe; the function gives the folder of the running test. */
export function useTempFolder(): () => string {
  let folder = '';
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-test-'));
  });
  afterEach(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return () => folder;
}

/** Writes files (relative path to content) below `dir`. */
export function writeFiles(dir: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  }
}
