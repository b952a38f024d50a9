/** Completion for fish: one line for each command and option. */
import type { CommandWords, OptionWords } from './words';

const quoted = (words: string) => `'${words.replace(/[\\']/g, '\\$&')}'`;

function optionLine(command: string, { flags, description, takesValue, choices }: OptionWords): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = choices.length > 0 ? [`-xa ${quoted(choices.join(' '))}`] : takesValue ? ['-r'] : [];
  const when = `-n '__fish_seen_subcommand_from ${command}'`;
  return ['complete -c ldm', when, ...names, ...value, `-d ${quoted(description)}`].join(' ');
}

export function fishCompletion(commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ name, description, options, choices }) => [
    `complete -c ldm -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...(choices.length > 0
      ? [`complete -c ldm -f -n '__fish_seen_subcommand_from ${name}' -a ${quoted(choices.join(' '))}`]
      : []),
    ...options.map((option) => optionLine(name, option)),
  ]);
  return `# fish completion of ldm; load it with: ldm completion fish | source\n${lines.join('\n')}\n`;
}
