/** Checks the built site: every link within it leads to a file, and every #fragment to an element of that file. */
import fs from 'node:fs';
import path from 'node:path';
import { decodeHTML } from 'entities';

const SITE = path.join(__dirname, '../../docs/.vitepress/dist');
/** Links out of the site that are meant: files of the repository. */
const ELSEWHERE = /bench\/peers/;

/** The links that lead nowhere, as 'page: link'. */
export function brokenLinks(site: string): string[] {
  const pages = fs
    .readdirSync(site, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.html'))
    .map((name) => path.join(site, name));
  const ids = new Map<string, Set<string>>();
  const idsOf = (file: string): Set<string> => {
    if (!ids.has(file)) {
      const found = fs.readFileSync(file, 'utf8').matchAll(/\b(?:id|name)="([^"]*)"/g);
      ids.set(file, new Set([...found].map(([, id]) => decodeHTML(id!))));
    }
    return ids.get(file)!;
  };

  const broken: string[] = [];
  for (const page of pages) {
    const html = fs.readFileSync(page, 'utf8');
    for (const [, raw] of html.matchAll(/\b(?:href|src)="([^"]*)"/g)) {
      const link = decodeHTML(raw!);
      if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(link) || ELSEWHERE.test(link)) continue;
      const [beforeHash = '', fragment] = link.split('#');
      const name = decodeURIComponent(beforeHash.split('?')[0]!);
      let file =
        name === '' ? page : name.startsWith('/') ? path.join(site, name) : path.join(path.dirname(page), name);
      if (fs.existsSync(file) && fs.statSync(file).isDirectory()) file = path.join(file, 'index.html');
      const wrong =
        !fs.existsSync(file) || (fragment && file.endsWith('.html') && !idsOf(file).has(decodeURIComponent(fragment)));
      if (wrong) broken.push(`${path.relative(site, page)}: ${link}`);
    }
  }
  return [...new Set(broken)];
}

if (require.main === module) {
  const broken = brokenLinks(SITE);
  if (broken.length > 0) {
    process.stderr.write(`${broken.length} links lead nowhere:\n${broken.slice(0, 50).join('\n')}\n`);
    process.exit(1);
  }
  process.stderr.write('links: all lead somewhere\n');
}
