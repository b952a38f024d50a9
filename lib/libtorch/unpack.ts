/** Unpacks what compiling and running need from a wheel or a libtorch archive. */
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';

/** Entries that are written at the same time: inflating happens on other threads. */
const PARALLEL = 4;

/** Maps an entry's name to a path below the target, or undefined to skip it. */
export type EntryFilter = (name: string) => string | undefined;

/** lib, include and share below `root`, and what tells the version. */
export function libtorchEntries(root: string): EntryFilter {
  const wanted = new RegExp(`^${root}/((lib|include|share)/.+|version\\.py|build-version)$`);
  return (name) => wanted.exec(name)?.[1];
}

/** The shared libraries of an nvidia-* wheel; libtorch finds them beside its own. */
export const nvidiaLibraries: EntryFilter = (name) => {
  const library = /^nvidia\/(?:.+\/)?lib\/([^/]+\.so[^/]*)$/.exec(name);
  return library ? `lib/${library[1]}` : undefined;
};

const open = (file: string): Promise<yauzl.ZipFile> =>
  new Promise((resolve, reject) => {
    // yauzl rejects absolute names and names with '..' by itself.
    yauzl.open(file, { lazyEntries: true, autoClose: false }, (error, zip) => (error ? reject(error) : resolve(zip)));
  });

/** Unpacks the entries that `filter` maps into `target`. `onProgress` counts entries of the archive. Returns how many were written. */
export async function unpackZip(
  file: string,
  target: string,
  filter: EntryFilter,
  onProgress?: (done: number, total: number) => void,
): Promise<number> {
  const zip = await open(file);
  let seen = 0;
  let written = 0;
  const running = new Set<Promise<void>>();

  const write = async (entry: yauzl.Entry, destination: string): Promise<void> => {
    fs.mkdirSync(path.dirname(destination), { recursive: true });
    const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      zip.openReadStream(entry, (error, readable) => (error ? reject(error) : resolve(readable)));
    });
    await pipeline(stream, fs.createWriteStream(destination));
    written++;
  };

  try {
    await new Promise<void>((resolve, reject) => {
      zip.on('error', reject);
      zip.on('end', () => Promise.all(running).then(() => resolve(), reject));
      zip.on('entry', (entry: yauzl.Entry) => {
        onProgress?.(++seen, zip.entryCount);
        const name = entry.fileName.endsWith('/') ? undefined : filter(entry.fileName);
        if (name === undefined) return zip.readEntry();
        const job = write(entry, path.join(target, name)).finally(() => running.delete(job));
        running.add(job);
        job.catch(reject);
        if (running.size < PARALLEL) zip.readEntry();
        else Promise.race(running).then(() => zip.readEntry(), reject);
      });
      zip.readEntry();
    });
  } finally {
    await Promise.allSettled(running);
    zip.close();
  }
  return written;
}
