// Content stamps: a step is repeated only when what it depends on has changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

function* filesBelow(path) {
  if (!statSync(path).isDirectory()) return yield path;
  for (const name of readdirSync(path).sort()) yield* filesBelow(join(path, name));
}

/** A hash of names and contents of all files in `paths` (files or folders, relative to `root`) and of `extras`. */
export function stampOf(root, paths, extras = []) {
  const hash = createHash('sha256');
  for (const path of paths) {
    if (!existsSync(join(root, path))) continue;
    for (const file of filesBelow(join(root, path))) {
      hash
        .update(`${relative(root, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
    }
  }
  for (const extra of extras) hash.update(`${extra}\0`);
  return hash.digest('hex');
}

/** Whether `file` holds `stamp`. */
export function isFresh(file, stamp) {
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

export function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}
