/** npm run docs:generate: writes the pages of docs/reference that come from the code; with --check only compares. */
import fs from 'node:fs';
import path from 'node:path';
import { cliReference } from './cli-reference';
import { configReference } from './config-reference';

const FOLDER = path.join(__dirname, '../../docs/reference');

/** The generated pages by file name. */
export async function generatedPages(): Promise<Record<string, string>> {
  return { 'cli.md': await cliReference(), 'options.md': configReference() };
}

/** The names of pages that are not what the code gives. */
export async function stalePages(): Promise<string[]> {
  const pages = Object.entries(await generatedPages());
  const read = (name: string) => {
    const file = path.join(FOLDER, name);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  };
  return pages.filter(([name, text]) => read(name) !== text).map(([name]) => name);
}

async function main(): Promise<void> {
  if (process.argv.includes('--check')) {
    const stale = await stalePages();
    if (stale.length > 0) throw new Error(`docs/reference: ${stale.join(', ')} is stale. Run npm run docs:generate`);
    return;
  }
  fs.mkdirSync(FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(await generatedPages())) fs.writeFileSync(path.join(FOLDER, name), text);
}

if (require.main === module) void main();
