/** What it costs to refuse files that ask for far too much: less than a second and, with Node itself, less than 200 MB. */
import path from 'node:path';
import { runNode } from '../helpers/child';
import { useTempFolder } from '../helpers/temp-folder';
import { FLOODS } from './floods';

const folder = useTempFolder();
/** Node and the reader take 70 MB. */
const MOST_MB = 130;

test('floods are refused quickly and in little memory', async () => {
  const child = await runNode(['--expose-gc', '--import', 'tsx', path.join(__dirname, 'floods.ts'), folder()]);
  expect(child).toMatchObject({ code: 0, stderr: '' });
  const results = child.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(results.map(({ name }) => name)).toEqual(Object.keys(FLOODS));
  const bad = results.filter(({ result, ms, grownMb }) => result !== 'refused' || ms > 1000 || grownMb > MOST_MB);
  expect(bad).toEqual([]);
});
