/** File names of checkpoints by pattern, as Lightning's ModelCheckpoint fills them in. */
import { LdmError } from '../../errors';

/**
 * Fills `{name:format}` with values; a name that has none becomes 0. Formats are Python's for numbers (`06`, `d`, `.4f`, `.2e`).
 * A name with a slash makes a folder, as in Lightning.
 * @param options.insertNames write `name=value` instead of the value alone; default true
 * @throws LdmError ERR_CONFIG for a format that is not known
 */
export function formatCheckpointName(
  pattern: string,
  values: Readonly<Record<string, number>>,
  options: { insertNames?: boolean } = {},
): string {
  const { insertNames = true } = options;
  return pattern.replace(/\{([^}:]+)(?::([^}]*))?\}/g, (whole, name: string, format = '') => {
    const text = formatNumber(values[name] ?? 0, format, whole);
    return insertNames ? `${name}=${text}` : text;
  });
}

/** Python's `format(value, spec)` for numbers. */
function formatNumber(value: number, spec: string, whole: string): string {
  const parts = /^(0?)(\d*)(?:\.(\d+))?([dfeEgG]?)$/.exec(spec);
  if (!parts)
    throw new LdmError(
      'ERR_CONFIG',
      `The checkpoint name has ${whole}, whose format is not known. Use Python's for numbers, such as {step:09} or {val/loss:.4f}.`,
    );
  const [, zero, width, digits, kind] = parts;
  const text = numberText(value, digits === '' || digits === undefined ? undefined : Number(digits), kind!);
  return zero ? text.padStart(Number(width), '0') : text.padStart(Number(width), ' ');
}

function numberText(value: number, digits: number | undefined, kind: string): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  switch (kind) {
    case 'f':
      return value.toFixed(digits ?? 6);
    case 'e':
    case 'E': {
      const text = value.toExponential(digits ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
      return kind === 'E' ? text.toUpperCase() : text;
    }
    default:
      return digits === undefined ? String(value) : String(Number(value.toPrecision(digits)));
  }
}
