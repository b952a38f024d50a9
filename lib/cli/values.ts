/** Values of command-line options, checked where they are read. */
import { InvalidArgumentError } from 'commander';

/** An integer from `minimum` on. */
export function integerFrom(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || value < minimum)
      throw new InvalidArgumentError(`Expected an integer of at least ${minimum}.`);
    return value;
  };
}

/** A number within a range. */
export function numberWithin(minimum: number, maximum = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= minimum && value <= maximum))
      throw new InvalidArgumentError(
        maximum === Number.POSITIVE_INFINITY
          ? `Expected a number of at least ${minimum}.`
          : `Expected a number from ${minimum} to ${maximum}.`,
      );
    return value;
  };
}

/** Seconds of '90', '90s', '10m' or '2h'. */
export function duration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*([smh]?)$/.exec(text);
  if (!parts || Number(parts[1]) <= 0)
    throw new InvalidArgumentError("Expected a duration such as '90s', '10m' or '2h'.");
  return Number(parts[1]) * { '': 1, s: 1, m: 60, h: 3600 }[parts[2] as 's']!;
}

/** Python's argparse words for yes and no; an option without a value is true. */
export function pythonBoolean(text: string | true): boolean {
  if (text === true || ['yes', 'true', 't', 'y', '1'].includes(text.toLowerCase())) return true;
  if (['no', 'false', 'f', 'n', '0'].includes(text.toLowerCase())) return false;
  throw new InvalidArgumentError('Expected true or false.');
}
