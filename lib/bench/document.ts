/** The part of docs/performance.md that is made of bench/results. */
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../pictures/picture';
import { readReport } from './report';
import { markdown } from './table';

const BEGIN = '<!-- bench: begin (written by npm run bench) -->';
const END = '<!-- bench: end -->';

/** The document with its tables as the results have them. @param root folder of the project */
export function documentWithResults(root: string): { file: string; found: string; expected: string } {
  const folder = path.join(root, 'bench/results');
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
  const reports = names.sort().map((name) => readReport(path.join(folder, name))!);
  const file = path.join(root, 'docs/performance.md');
  const found = fs.readFileSync(file, 'utf8');
  const [begin, end] = [found.indexOf(BEGIN), found.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no place for the results: ${BEGIN} ... ${END}`);
  const full = reports.map((report) => ({ ...report, results: report.results.filter((r) => r.size === 'full') }));
  const expected = `${found.slice(0, begin)}${BEGIN}\n\n${markdown(full)}\n\n${found.slice(end)}`;
  return { file, found, expected };
}

/** Brings the document up to date. */
export function updateDocument(root: string): void {
  const { file, found, expected } = documentWithResults(root);
  if (found !== expected) writeFileAtomic(file, expected);
}
