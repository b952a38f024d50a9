/** Completion for zsh: _arguments of each command, with the explanations. */
import type { CommandWords, OptionWords } from './words';

/** Within single quotes and brackets. */
const text = (words: string) => words.replace(/[[\]:\\]/g, '\\$&').replace(/'/g, "'\\''");
const list = (choices: readonly string[]) => choices.map((choice) => choice.replace(/[^\w./@%+=-]/g, '\\$&')).join(' ');

function optionSpec({ flags, description, takesValue, choices }: OptionWords): string[] {
  const value = takesValue ? `:value:${choices.length > 0 ? `(${list(choices)})` : '_files'}` : '';
  return flags.map((flag) => `'${flag}[${text(description)}]${text(value).replace(/\\:/g, ':')}'`);
}

export function zshCompletion(commands: readonly CommandWords[]): string {
  const described = commands.map(({ name, description }) => `    '${name}:${text(description)}'`);
  const cases = commands.map(({ name, options, choices }) => {
    const specs = options.flatMap(optionSpec);
    const rest = choices.length > 0 ? `'*:value:(${list(choices)})'` : "'*:file:_files'";
    return `        ${name})\n          _arguments ${[...specs, rest].join(' \\\n            ')}\n          ;;`;
  });
  return `#compdef ldm
# zsh completion of ldm; load it with: source <(ldm completion zsh)
_ldm() {
  local -a commands
  local state line
  commands=(
${described.join('\n')}
  )
  _arguments -C '(-h --help)'{-h,--help}'[print the help]' '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe 'command' commands ;;
    argument)
      case $words[1] in
${cases.join('\n')}
      esac
      ;;
  esac
}
compdef _ldm ldm
`;
}
