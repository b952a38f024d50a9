import { LdmError } from '../errors';

/** A checkpoint that cannot be accepted: says which file and what is wrong with it. */
export function damaged(file: string, what: string): LdmError {
  return new LdmError('ERR_CHECKPOINT', `${file}: ${what}`);
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
