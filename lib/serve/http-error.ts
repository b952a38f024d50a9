/** Errors as clients see them. */
import { LdmError, type LdmErrorCode } from '../errors';

export type HttpStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 421 | 429 | 500 | 503;

/** An answer that is no success: a stable code for programs, a sentence for people. */
export class HttpError extends Error {
  constructor(
    readonly status: HttpStatus,
    readonly code: string,
    message: string,
    /** The field of the request that is wrong. */
    readonly field?: string,
  ) {
    super(message);
  }
}

/** Errors that the request, its picture or the model's files are to blame for; everything else is the server's. */
const STATUS: Partial<Record<LdmErrorCode, HttpStatus>> = {
  ERR_INVALID_ARGUMENT: 400,
  ERR_DATA: 400,
  ERR_CHECKPOINT: 409,
  ERR_CONFIG: 409,
  ERR_MISSING_KEYS: 409,
  ERR_UNKNOWN_TARGET: 409,
};

/** What a client is told of something that was thrown. Messages of foreign errors stay in the server's log. */
export function publicError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (!LdmError.is(error))
    return new HttpError(500, 'internal_error', 'Something went wrong in the server; see its log.');
  const code = error.code.slice('ERR_'.length).toLowerCase();
  const status = STATUS[error.code] ?? 500;
  return new HttpError(status, code, error.message);
}
