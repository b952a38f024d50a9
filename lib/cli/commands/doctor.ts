/** `ldm doctor`: checks the installation. Exit code 1 when something required is missing. */
import type { Command } from 'commander';
import { type Check, examine, isHealthy } from '../../doctor';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT } from '../errors';
import { addExamples } from '../examples';
import type { Painter, Style } from '../style';

const MARKS: Record<Check['status'], { mark: string; style: Style }> = {
  ok: { mark: 'ok', style: 'green' },
  optional: { mark: '--', style: 'yellow' },
  failed: { mark: '!!', style: 'red' },
};

export const doctor: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm doctor', 'what is there, what is needed, what to do'],
      ['ldm doctor --json', 'the same for a program; exit code 1 when something required is missing'],
    ]);
    command.action(async () => {
      const output = outputOf(command);
      const checks = await examine();
      const healthy = isHealthy(checks);
      output.result({ ok: healthy, checks }, () => checks.map((check) => describe(check, output.paint)).join('\n'));
      output.note(healthy ? 'Everything required is there.' : 'Something required is missing (marked !!).');
      if (!healthy) process.exitCode = EXIT.failure;
    });
  },
};

function describe(check: Check, paint: Painter): string {
  const { mark, style } = MARKS[check.status];
  const lines = [`${paint(style, mark)}  ${check.name.padEnd(18)} ${check.found}`];
  if (check.status !== 'ok') lines.push(`${' '.repeat(23)}required: ${check.required}`);
  if (check.remedy) lines.push(`${' '.repeat(23)}remedy:   ${check.remedy}`);
  return lines.join('\n');
}
