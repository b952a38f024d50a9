import { LdmError } from '../errors';
import { Skipped } from './types';

const LONGEST_MESSAGE = 600;

/** A checkpoint that cannot be accepted: says which file and what is wrong with it. */
export function damaged(file: string, what: string): LdmError {
  const text = printable(what);
  return new LdmError(
    'ERR_CHECKPOINT',
    `${file}: ${text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}...` : text}`,
  );
}

/**
 * A value of a file for an error message: short, on one line, and made without looking into collections, which may be
 * endless.
 */
export function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 80))
      : value instanceof Skipped
        ? JSON.stringify(value.className.slice(0, 80))
        : Array.isArray(value)
          ? 'a list'
          : typeof value === 'object' && value !== null
            ? 'an object'
            : String(value).slice(0, 80);
  return printable(text);
}

/** Text of a file without what would steer a terminal: control characters become escapes. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** A file that cannot be opened or read. */
export function unreadable(file: string, error: unknown): LdmError {
  const { code, message } = error as NodeJS.ErrnoException;
  const what =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EACCES'
        ? 'permission denied'
        : code === 'EISDIR'
          ? 'this is a folder'
          : message;
  return new LdmError('ERR_FILE', `Cannot read ${file}: ${what}`, { cause: error });
}
