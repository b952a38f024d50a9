/**
 * What an unquoted YAML scalar means: PyYAML's YAML 1.1 resolvers with OmegaConf's changes (its own float pattern beside
 * PyYAML's, so that `1e-4` is a number, and no timestamps). The patterns are those of PyYAML's resolver and of OmegaConf 2.3's
 * `get_yaml_loader`.
 */

export interface Scalar {
  value: null | boolean | number | bigint | string;
  /** The number was written as a float. */
  float: boolean;
}

const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INTEGER =
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT = new RegExp(
  `^(?:${[
    '[-+]?[0-9]+(?:_[0-9]+)*\\.[0-9_]*(?:[eE][-+]?[0-9]+)?',
    '[-+]?[0-9][0-9_]*\\.[0-9_]*(?:[eE][-+][0-9]+)?',
    '[-+]?[0-9]+(?:_[0-9]+)*[eE][-+]?[0-9]+',
    // Without a digit before the point, the exponent has to have a sign.
    '\\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?',
    '[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\\.[0-9_]*',
    '[-+]?\\.(?:inf|Inf|INF)',
    '\\.(?:nan|NaN|NAN)',
  ].join('|')})$`,
);

/** The value of an unquoted scalar. */
export function resolveScalar(text: string): Scalar {
  if (NULL.test(text)) return { value: null, float: false };
  if (TRUE.test(text)) return { value: true, float: false };
  if (FALSE.test(text)) return { value: false, float: false };
  if (INTEGER.test(text)) {
    const value = parseInteger(text);
    if (value !== undefined) return { value, float: false };
  }
  if (FLOAT.test(text)) return { value: parseFloating(text), float: true };
  return { value: text, float: false };
}

/** Splits off the sign and the underscores between digits. */
function unsigned(text: string): { negative: boolean; digits: string } {
  const digits = text.replaceAll('_', '');
  return { negative: digits.startsWith('-'), digits: digits.replace(/^[-+]/, '') };
}

/** `0b1`, `017` (octal), `0x1f`, decimal and base 60 (`1:30`); undefined for a prefix without digits such as `0x_`. */
function parseInteger(text: string): number | bigint | undefined {
  const { negative, digits } = unsigned(text);
  if (/^0[bx]?$/.test(digits) && digits !== '0') return undefined;
  let magnitude: bigint;
  if (/^0[bx]/.test(digits)) magnitude = BigInt(digits);
  else if (digits.startsWith('0')) magnitude = BigInt(`0o${digits}`);
  else magnitude = digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  const value = negative ? -magnitude : magnitude;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function parseFloating(text: string): number {
  const { negative, digits } = unsigned(text.toLowerCase());
  let magnitude: number;
  if (digits === '.inf') magnitude = Number.POSITIVE_INFINITY;
  else if (digits === '.nan') magnitude = Number.NaN;
  else magnitude = digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return negative ? -magnitude : magnitude;
}
