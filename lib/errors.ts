/**
 * Stable codes of {@link LdmError}. They are part of the public interface: a code is never renamed.
 *
 * - `ERR_INVALID_ARGUMENT`: a value has the wrong type, range or shape.
 * - `ERR_CONFIG`: a config file or an override is wrong (file, line and key path are in the message).
 * - `ERR_UNKNOWN_TARGET`: a `target` that this library does not know.
 * - `ERR_CHECKPOINT`: a checkpoint file is damaged, hostile or of an unknown format.
 * - `ERR_MISSING_KEYS`: a strict load found missing, unexpected or mis-shaped keys.
 * - `ERR_DATA`: a data set or an image cannot be read.
 * - `ERR_FILE`: a file does not exist or cannot be read or written.
 * - `ERR_MISSING_WEIGHTS`: weights that have to be downloaded first (LPIPS) are not there.
 * - `ERR_DOWNLOAD`: a file could not be downloaded, or what arrived is not what it should be.
 * - `ERR_SETUP`: set-up lacks something (a compiler, libtorch, a Python); the message says what to do.
 * - `ERR_NATIVE_LOAD`: the addon or libtorch cannot be loaded.
 * - `ERR_DEVICE`: a device was asked for that is not there.
 * - `ERR_OUT_OF_MEMORY`: memory ran out on the device.
 * - `ERR_DISPOSED`: a tensor or model was used after `dispose()`.
 * - `ERR_CLOSED`: the model or the environment is being closed.
 * - `ERR_ABORTED`: the operation was aborted by its AbortSignal (the error's `name` is `AbortError`).
 * - `ERR_TAPE`: injected randomness does not fit what was drawn.
 * - `ERR_NAN`: a loss or a gradient is not finite.
 * - `ERR_UNKNOWN_METHOD`: a native object has no such method.
 * - `ERR_TORCH`: anything else that libtorch reports.
 */
export type LdmErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_CONFIG'
  | 'ERR_UNKNOWN_TARGET'
  | 'ERR_CHECKPOINT'
  | 'ERR_MISSING_KEYS'
  | 'ERR_DATA'
  | 'ERR_FILE'
  | 'ERR_MISSING_WEIGHTS'
  | 'ERR_DOWNLOAD'
  | 'ERR_SETUP'
  | 'ERR_NATIVE_LOAD'
  | 'ERR_DEVICE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DISPOSED'
  | 'ERR_CLOSED'
  | 'ERR_ABORTED'
  | 'ERR_TAPE'
  | 'ERR_NAN'
  | 'ERR_UNKNOWN_METHOD'
  | 'ERR_TORCH';

/** The one error class of this library. `code` is stable, `message` is for people. */
export class LdmError extends Error {
  readonly code: LdmErrorCode;

  constructor(code: LdmErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = code === 'ERR_ABORTED' ? 'AbortError' : 'LdmError';
  }

  /** True for any LdmError, also for one from another copy of this library or from another worker. */
  static is(value: unknown): value is LdmError {
    return (
      value instanceof Error &&
      typeof (value as { code?: unknown }).code === 'string' &&
      (value.name === 'LdmError' || value.name === 'AbortError')
    );
  }
}
