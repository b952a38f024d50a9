/** Worker threads and child processes run compiled code, also where this library itself runs as TypeScript. */
import fs from 'node:fs';
import path from 'node:path';

const COMPILED = path.join(__dirname, fs.existsSync(path.join(__dirname, 'compiled-worker.js')) ? '.' : '../dist');

/**
 * The compiled file of a worker thread or process: in dist/ where this file runs as TypeScript (tests, scripts).
 * @param name path below this folder without its ending, such as 'retrieval/graph-worker'
 * @returns undefined when nothing has been compiled yet
 */
export function compiledWorker(name: string): string | undefined {
  const file = path.join(COMPILED, `${name}.js`);
  return fs.existsSync(file) ? file : undefined;
}
