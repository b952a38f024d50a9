/** docs/configs.md lists every target. */
import fs from 'node:fs';
import path from 'node:path';
import { knownTargets } from '../../lib/config';

const page = fs.readFileSync(path.join(__dirname, '../../docs/configs.md'), 'utf8');

test.each(knownTargets().map((entry) => entry.target))('%s', (target) => {
  const [module, name] = [target.slice(0, target.lastIndexOf('.')), target.slice(target.lastIndexOf('.') + 1)];
  // Data sets are listed by their name without Train and Validation.
  const listed = page.includes(`\`${target}\``) || page.includes(`\`${module}\``) || page.includes(`\`${module}.*\``);
  expect(listed).toBe(true);
  expect(page).toContain(name.replace(/(Train|Validation)$/, ''));
});
