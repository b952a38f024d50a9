/** The pages whose blocks are tested. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../helpers/child';

/** Paths from the project's folder. */
export const PAGES = [
  'README.md',
  'examples/README.md',
  ...fs
    .readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map((name) => `docs/${name}`)
    .sort(),
];

export const readPage = (page: string): string => fs.readFileSync(path.join(ROOT, page), 'utf8');
