/**
 * Writes a config as OmegaConf.to_yaml does: block style, lists not indented, PyYAML's floats and quotes. It departs in one
 * thing: text with line breaks or control characters, or of blanks alone, is double-quoted on one line, and long text is not
 * folded.
 */
import { type ConfigNode, type ConfigValue, fromPlain, type ScalarNode } from './node';
import { resolveScalar } from './scalars';

/** YAML 1.1 reads these words as booleans, though PyYAML does not read all of them so; OmegaConf quotes them all. */
const BOOLEAN_WORD = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
/** What Python's int() and float() take: OmegaConf quotes such text. */
const PYTHON_NUMBER =
  /^\s*[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)\s*$/i;
/** Text that YAML could take for something else than a plain word. */
const NEEDS_QUOTES = /^$|^[\s!&*'"%@`,[\]{}#|>]|^[-?:](?:\s|$)|: |:$| #|\s$|^---|^\.\.\.|^=$|^<<$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/;
const TIMESTAMP = /^\d{4}-\d\d?-\d\d?(?:[Tt\s]|$)/;

/** The YAML text of plain values. An empty mapping is `{}`. */
export function toYaml(value: ConfigValue): string {
  return nodeToYaml(fromPlain(value, { source: '' }));
}

/** The YAML text of a tree; keeps `1.0` apart from `1`. @internal */
export function nodeToYaml(node: ConfigNode): string {
  return isInline(node) ? `${inline(node)}\n` : `${block(node, '').join('\n')}\n`;
}

function isInline(node: ConfigNode): boolean {
  return node.kind === 'scalar' || (node.kind === 'list' ? node.items.length === 0 : node.entries.size === 0);
}

function inline(node: ConfigNode): string {
  if (node.kind === 'scalar') return formatScalar(node);
  return node.kind === 'list' ? '[]' : '{}';
}

function block(node: ConfigNode, indent: string): string[] {
  if (node.kind === 'list') {
    return node.items.flatMap((item) => {
      if (isInline(item)) return [`${indent}- ${inline(item)}`];
      // The first line of a nested block shares the line of the dash.
      const [first, ...rest] = block(item, `${indent}  `);
      return [`${indent}- ${first!.slice(indent.length + 2)}`, ...rest];
    });
  }
  if (node.kind === 'map') {
    return [...node.entries].flatMap(([key, child]) => {
      const name = `${indent}${formatText(key)}:`;
      if (isInline(child)) return [`${name} ${inline(child)}`];
      return [name, ...block(child, child.kind === 'list' ? indent : `${indent}  `)];
    });
  }
  return [`${indent}${formatScalar(node)}`];
}

function formatScalar(node: ScalarNode): string {
  if (typeof node.value === 'string') return formatText(node.value);
  if (typeof node.value === 'number' && node.float) return formatFloat(node.value);
  return String(node.value);
}

function formatText(text: string): string {
  if (UNPRINTABLE.test(text)) return JSON.stringify(text);
  const ambiguous =
    BOOLEAN_WORD.test(text) ||
    PYTHON_NUMBER.test(text) ||
    typeof resolveScalar(text).value !== 'string' ||
    TIMESTAMP.test(text);
  return ambiguous || NEEDS_QUOTES.test(text) ? `'${text.replaceAll("'", "''")}'` : text;
}

/** Python's repr of a float with PyYAML's changes: 1.0, 1.0e-06, .inf. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  const magnitude = Math.abs(value);
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  // repr() changes to exponents below 1e-4 and from 1e16 on.
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    const power = Math.abs(Number(exponent)).toString().padStart(2, '0');
    return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${Number(exponent) < 0 ? '-' : '+'}${power}`;
  }
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('.') ? text : `${text}.0`;
}
