/** What holds for every command: examples that its options understand, --json and --quiet, help on stdout only. */
import type { Command } from 'commander';
import { commands } from '../../lib/cli/commands';
import { createFullProgram } from '../../lib/cli/program';
import { mayColor } from '../../lib/cli/style';
import { runLdm } from './run-ldm';

let program: Command;
beforeAll(async () => {
  program = await createFullProgram();
});

describe.each(commands.map(({ name }) => name))('ldm %s', (name) => {
  it('has examples in its help, of options and values that it has', async () => {
    const { stdout, stderr, code } = await runLdm(name, '--help');
    expect([code, stderr]).toEqual([0, '']);
    const [, examples] = stdout.split('Examples:\n');
    expect(examples).toBeDefined();
    const lines = examples
      .split('\n')
      .filter((line) => /(^|\s|\()ldm [a-z0-9]/.test(line) && !line.trim().startsWith('#'));
    expect(lines.some((line) => line.includes(`ldm ${name}`))).toBe(true);
    for (const line of lines) {
      const [, called, rest] = /ldm ([a-z0-9]+)(.*)/.exec(line)!;
      const command = program.commands.find((c) => c.name() === called)!;
      expect(command).toBeDefined();
      const words = rest.replace(/"[^"]*"/g, 'TEXT').split(/[\s)>|]+/);
      for (const flag of words.filter((word) => /^--?[a-zA-Z]/.test(word)))
        expect(`${line}: ${command.options.some((o) => o.flags.split(/[ ,|]+/).includes(flag))}`).toBe(`${line}: true`);
    }
  });

  it('takes --json and --quiet', async () => {
    const command = program.commands.find((c) => c.name() === name)!;
    expect(command.options.map((option) => option.long)).toEqual(expect.arrayContaining(['--json', '--quiet']));
  });

  it('suggests what a mistyped option may mean, on stderr', async () => {
    const { options } = program.commands.find((c) => c.name() === name)!;
    const required = options.filter((option) => option.mandatory).flatMap((option) => [option.long!, 'x']);
    const { code, stdout, stderr } = await runLdm(name, ...required, '--quite');
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/unknown option '--quite'[\s\S]*--quiet/)]);
  });
});

test('summaries are one line that fits the help', () => {
  for (const { name, summary } of commands) expect(`${name}: ${summary}`.length).toBeLessThan(110);
});

test.each([
  [{ isTTY: true }, {}, true],
  [{ isTTY: false }, {}, false],
  [{ isTTY: true }, { NO_COLOR: '1' }, false],
  [{ isTTY: false }, { FORCE_COLOR: '1' }, true],
  [{ isTTY: true }, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  [{ isTTY: true }, { TERM: 'dumb' }, false],
])('colours for %j with %j: %s', (stream, env, colours) => expect(mayColor(stream, env)).toBe(colours));
