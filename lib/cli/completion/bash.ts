/** Completion for bash: a function that knows the words of each command. */
import type { CommandWords } from './words';

const SAFE = (words: readonly string[]) => words.map((word) => word.replace(/[^\w./@%+:=-]/g, '')).join(' ');

export function bashCompletion(commands: readonly CommandWords[]): string {
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(
        ({ flags, choices }) => `    ${flags.map((flag) => `${name}:${flag}`).join('|')}) words='${SAFE(choices)}' ;;`,
      ),
  );
  const files = commands.flatMap(({ name, options }) =>
    options
      .filter(({ choices, takesValue }) => takesValue && choices.length === 0)
      .flatMap(({ flags }) => flags.map((flag) => `${name}:${flag}`)),
  );
  const flags = commands.map(
    ({ name, options }) => `      ${name}) words='${SAFE(options.flatMap((option) => option.flags))}' ;;`,
  );
  const choices = commands
    .filter((command) => command.choices.length > 0)
    .map(({ name, choices: own }) => `      ${name}) words='${SAFE(own)}' ;;`);
  return `# bash completion of ldm; load it with: source <(ldm completion bash)
_ldm() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" command='' words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} != -* ]]; then command="\${COMP_WORDS[i]}"; break; fi
  done
  if [[ -z $command || $command == help ]]; then
    COMPREPLY=($(compgen -W '${SAFE(commands.map(({ name }) => name))} help --help --version' -- "$current"))
    return
  fi
  case "$command:$previous" in
${values.join('\n')}
    ${files.join('|')}) return ;;
  esac
  if [[ -z $words && $current == -* ]]; then
    case "$command" in
${flags.join('\n')}
    esac
  elif [[ -z $words ]]; then
    case "$command" in
${choices.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
# What is not known here is the name of a file.
complete -o default -F _ldm ldm
`;
}
