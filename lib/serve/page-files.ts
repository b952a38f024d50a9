/** The page: static files that were built with the package, in memory. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

// Sources that run as they are use the page that was built last.
const FOLDER = [path.join(__dirname, 'page'), path.join(__dirname, '../../dist/serve/page')].find((folder) =>
  fs.existsSync(folder),
);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

export interface PageFile {
  data: Uint8Array;
  type: string;
  etag: string;
}

/** Files by their path on the server; '/' is the page. Empty where it was not built. */
export function pageFiles(folder = FOLDER): Map<string, PageFile> {
  if (folder === undefined) return new Map();
  const files = fs.readdirSync(folder).map((name): [string, PageFile] => {
    const data = new Uint8Array(fs.readFileSync(path.join(folder, name)));
    const etag = `"${createHash('sha256').update(data).digest('base64url').slice(0, 16)}"`;
    return [
      name === 'index.html' ? '/' : `/${name}`,
      { data, type: TYPES[path.extname(name)] ?? 'application/octet-stream', etag },
    ];
  });
  return new Map(files);
}
