/** npm run docs:generate: writes the pages of docs/reference and the texts of the JSON schema; with --check only compares. */
import fs from 'node:fs';
import path from 'node:path';
import { cliReference } from './cli-reference';
import { configReference } from './config-reference';
import { optionComments } from './option-comments';

const ROOT = path.join(__dirname, '../..');

/** The generated files by their path in the project. */
export async function generatedPages(): Promise<Record<string, string>> {
  return {
    'docs/reference/cli.md': await cliReference(),
    'docs/reference/options.md': configReference(),
    'lib/config/option-texts.json': optionTexts(),
  };
}

/** What options mean, for editors: by target and option. Text that several targets share stands there once. */
function optionTexts(): string {
  const texts: string[] = [];
  const targets = Object.fromEntries(
    [...optionComments()]
      .filter(([, comments]) => comments.size > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([target, comments]) => {
        const numbered = [...comments].map(([option, text]) => {
          if (!texts.includes(text)) texts.push(text);
          return [option, texts.indexOf(text)];
        });
        return [target, Object.fromEntries(numbered)];
      }),
  );
  return `${JSON.stringify({ texts, targets })}\n`;
}

/** The names of pages that are not what the code gives. */
export async function stalePages(): Promise<string[]> {
  const pages = Object.entries(await generatedPages());
  const read = (name: string) => {
    const file = path.join(ROOT, name);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  };
  return pages.filter(([name, text]) => read(name) !== text).map(([name]) => name);
}

async function main(): Promise<void> {
  if (process.argv.includes('--check')) {
    const stale = await stalePages();
    if (stale.length > 0) throw new Error(`${stale.join(', ')} is stale. Run npm run docs:generate`);
    return;
  }
  for (const [name, text] of Object.entries(await generatedPages())) fs.writeFileSync(path.join(ROOT, name), text);
}

if (require.main === module) void main();
