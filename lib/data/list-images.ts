/** The image files of a folder and its sub-folders. */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';

/** Endings of image files. */
export const IMAGE_EXTENSIONS = ['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp', '.svg'];

/**
 * Paths relative to root, with '/', in an order that does not depend on the file system or the locale.
 * @throws LdmError ERR_FILE when there is no such folder
 */
export function listImages(root: string): string[] {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(root);
  } catch {
    throw new LdmError('ERR_FILE', `There is no folder ${root}. Give the folder that holds the images.`);
  }
  if (!stat.isDirectory())
    throw new LdmError('ERR_FILE', `${root} is not a folder. Give the folder that holds the images.`);
  const found: string[] = [];
  const visit = (relative: string) => {
    for (const entry of fs.readdirSync(path.join(root, relative), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const name = relative ? `${relative}/${entry.name}` : entry.name;
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && isLinkedFolder(path.join(root, name)));
      if (isFolder) visit(name);
      else if (IMAGE_EXTENSIONS.includes(path.extname(entry.name).toLowerCase())) found.push(name);
    }
  };
  visit('');
  return found.sort(compareNames);
}

/** A link to a folder is followed unless it leads back up, which would never end. */
function isLinkedFolder(link: string): boolean {
  try {
    const target = fs.realpathSync(link);
    return fs.statSync(target).isDirectory() && !`${fs.realpathSync(path.dirname(link))}/`.startsWith(`${target}/`);
  } catch {
    return false;
  }
}

/** By code units: the same everywhere. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
