/**
 * Code blocks of README and docs. Every `ldm` line is parsed by the program's own definitions. Blocks `sh` and `ts` are run in a
 * folder with small models under the names of the official ones, but those that say `no-run: reason`, and those of commands that are
 * told here; `yaml` is read and checked. There is no other code: what is indented is none.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { createProgram } from '../../lib/cli/program';
import { checkLightning } from '../../lib/config/lightning';
import { toPlain } from '../../lib/config/node';
import { parseYaml } from '../../lib/config/parse';
import { runLdm } from '../cli/run-ldm';
import { ROOT, runNode } from '../helpers/child';
import { writeFiles } from '../helpers/temp-folder';
import { TestServer } from '../serve/client';
import { blocksOf, ldmCommands } from './blocks';
import { PAGES, readPage } from './pages';
import { prepareFolder } from './prepared';

/** Commands that are not run, by their first words. */
const NOT_RUN: readonly [RegExp, string][] = [
  [/^serve\b/, 'runs until it is stopped'],
  [/^download\b/, 'fetches hundreds of megabytes'],
  [/^doctor\b/, 'fails where something optional is missing'],
];
/** What is added to a command so that it ends soon: the last one of an option counts. */
const SHORTER: Readonly<Record<string, readonly string[]>> = {
  convert: ['--force'],
  init: ['--force'],
  interpolate: ['--frames', '3', '--steps', '2'],
  img2img: ['--n_samples', '1', '--n_iter', '1', '--ddim_steps', '2'],
  layout2img: ['-n', '1', '--steps', '2'],
  sample: ['-n', '1', '--steps', '2'],
  semantic: ['-n', '1', '--steps', '2'],
  superres: ['--steps', '2'],
  train: ['--max_steps', '1'],
  txt2img: ['--n_samples', '1', '--n_iter', '1', '--ddim_steps', '2', '--H', '64', '--W', '64'],
};

/** Fewer steps, smaller pictures. */
const shorter = (program: string): string =>
  program.replace(/steps: \d+/g, 'steps: 2').replace(/(height|width): \d{3}/g, '$1: 64');

const all = PAGES.flatMap((page) => blocksOf(readPage(page)).map((block) => ({ ...block, page })));
const fenced = all.filter(({ language }) => ['sh', 'ts', 'js'].includes(language));
const runnable = fenced.filter(({ noRun }) => noRun === null);

/** Parses a command line without running it; the message of what is wrong with it, or null. */
async function problemOf(args: readonly string[]): Promise<string | null> {
  const said: string[] = [];
  const program = await createProgram(args);
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeErr: (text) => said.push(text), writeOut: () => {} });
    command.action(() => {});
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return null;
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? null : (said[0] ?? String(error)).trim();
  }
}

describe('extraction', () => {
  test('blocks, languages, reasons and words', () => {
    const page =
      'Text\n\n```sh no-run: takes hours\nldm a\n```\n\n    $ ldm b --x "two words"  # why\n    FOO=1 npx ldm c \\\n      d\n\nend';
    const blocks = blocksOf(page);
    expect(blocks.map(({ line, language, noRun }) => [line, language, noRun])).toEqual([
      [4, 'sh', 'takes hours'],
      [7, '', null],
    ]);
    expect(ldmCommands(blocks[1]!.code)).toEqual([
      ['b', '--x', 'two words'],
      ['c', 'd'],
    ]);
  });

  test('the check of command lines finds mistakes', async () => {
    expect(await problemOf(['sample', 'logs/x', '--no-such-option'])).toMatch(/unknown option/);
    expect(await problemOf(['no-such-command'])).toMatch(/too many arguments|unknown command/);
    expect(await problemOf(['plot'])).toMatch(/missing required argument/);
    expect(await problemOf(['plot', 'gan'])).toBeNull();
  });

  test('there is much to check, and what is not run says why', () => {
    expect(all.flatMap(({ code }) => ldmCommands(code)).length).toBeGreaterThan(80);
    expect(runnable.length).toBeGreaterThan(40);
    for (const { noRun } of fenced) if (noRun !== null) expect(noRun.length).toBeGreaterThan(7);
    expect(fenced.length - runnable.length).toBeLessThan(20);
  });
});

test('code is fenced and says what it is', () => {
  const known = ['sh', 'ts', 'js', 'yaml', 'text'];
  const wrong = all.filter(({ language }) => !known.includes(language)).map(({ page, line }) => `${page}:${line}`);
  expect(wrong).toEqual([]);
});

test.each(
  all
    .filter(({ language }) => language === 'yaml')
    .map((block) => [`${block.page}:${block.line}`, block.code] as const),
)('%s is a config', (_name, code) => {
  const values = toPlain(parseYaml(code, 'block')) as Record<string, unknown>;
  expect(['model', 'data', 'lightning']).toEqual(expect.arrayContaining(Object.keys(values)));
  expect(checkLightning(values.lightning, null).problems).toEqual([]);
});

test('every ldm command line in the docs is one that the program takes', async () => {
  const problems: string[] = [];
  for (const { page, line, code } of all) {
    for (const args of ldmCommands(code)) {
      // What stands for something: a synopsis.
      if (args.some((word) => ['...', 'COMMAND', '[options]'].includes(word))) continue;
      const problem = await problemOf(args);
      if (problem) problems.push(`${page}:${line}: ldm ${args.join(' ')}\n  ${problem}`);
    }
  }
  expect(problems).toEqual([]);
});

/** Runs a script of requests, as a shell does, against a server of this test instead of the one at the usual address. */
async function runAgainstServer(script: string): Promise<void> {
  const server = await TestServer.start({ folder: 'models/ldm/text2img256' });
  try {
    const local = script.replaceAll('localhost:7860', server.url.slice('http://'.length, -1));
    const { stdout } = await promisify(execFile)('sh', ['-ec', local]);
    expect(stdout).toContain('"state":"done"');
    expect(stdout).not.toContain('"error":{');
    expect((await sharp('picture.png').metadata()).format).toBe('png');
  } finally {
    await server.close();
  }
}

describe('running', () => {
  let folder: string;
  const before = process.cwd();
  beforeAll(async () => {
    folder = await prepareFolder();
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(before);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const shell = runnable.filter(({ language }) => language === 'sh');
  test.each(shell.map((block) => [`${block.page}:${block.line}`, block] as const))('%s', async (_name, block) => {
    if (block.code.startsWith('curl')) return runAgainstServer(block.code);
    const commands = ldmCommands(block.code);
    const lines = block.code.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
    // A block that runs holds nothing but commands of this program.
    expect(lines.filter((line) => !line.startsWith(' ')).length).toBe(commands.length);
    for (const words of commands) {
      const line = words.join(' ');
      if (NOT_RUN.some(([pattern]) => pattern.test(line))) continue;
      const args = [...words, ...(SHORTER[words[0]!] ?? [])];
      const { code, stderr } = await runLdm(...args);
      expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
    }
  });

  test('programs', async () => {
    const programs = runnable.filter(({ language }) => language !== 'sh');
    writeFiles(folder, Object.fromEntries(programs.map(({ code }, i) => [`block-${i}.mts`, shorter(code)])));
    const names = programs.map(({ page, line }) => `${page}:${line}`);
    writeFiles(folder, {
      'all.mts': `for (const [i, name] of ${JSON.stringify(names)}.entries()) {
  try { await import(\`./block-\${i}.mts\`); } catch (error) { console.error(name, error); process.exitCode = 1; }
}`,
    });
    const tsx = path.join(ROOT, 'node_modules/tsx/dist/loader.mjs');
    const { code, stderr } = await runNode(['--import', tsx, 'all.mts'], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(programs.length).toBeGreaterThan(6);
  }, 120_000);

  test('the pictures that the blocks draw are pictures', async () => {
    const drawn = fs.readdirSync(path.join(folder, 'out/plots')).filter((name) => name.endsWith('.png'));
    expect(drawn).toEqual(expect.arrayContaining(['bound.png', 'gan.png', 'schedules.png', 'steps.png']));
    for (const name of drawn)
      expect((await sharp(path.join(folder, 'out/plots', name)).metadata()).width).toBeGreaterThan(400);
  });
});
