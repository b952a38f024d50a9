import { LdmError } from './errors';
import { type JobOptions, type NativeCancelToken, type NativeObject, native } from './native';

/** Options that every asynchronous method of this library takes. */
export interface CallOptions {
  /** Aborts within one network evaluation; the promise rejects with `ERR_ABORTED`. */
  signal?: AbortSignal;
  /** Where random numbers come from; default: libtorch's default generator of the device. */
  random?: RandomSource;
  /** Called for each progress report of the operation. */
  onProgress?: (value: any) => void;
  /** Autocast for the operation. Default 'fp32'. */
  precision?: 'fp32' | 'bf16' | 'fp16';
  /**
   * Encodes and decodes images with more pixels than a square of this side by strips, in memory that follows the side: the
   * smaller it is, the less memory and the more time. The result is that of the whole image but for rounding: there are no seams. A whole number from 1 to 65536;
   * default: images as a whole. Without effect where a graph is recorded.
   */
  tile?: number;
}

/** Something that draws random numbers: {@link Generator}, {@link Tape} or {@link Recorder}. */
export interface RandomSource {
  /** @internal */
  readonly native: NativeObject;
}

let noGradDepth = 0;

/** Whether operations record a graph at the moment. */
export function gradEnabled(): boolean {
  return noGradDepth === 0;
}

/**
 * Runs `fn` (synchronous) with gradients off: what it queues records no graph. Like `torch.no_grad()`.
 * @returns what `fn` returns
 */
export function noGrad<T>(fn: () => T): T {
  noGradDepth++;
  try {
    return fn();
  } finally {
    noGradDepth--;
  }
}

/** Runs one native job with the options of a public method: wires the AbortSignal, converts errors. @internal */
export async function job<T>(
  options: CallOptions | undefined,
  extra: JobOptions,
  start: (options: JobOptions) => Promise<T>,
): Promise<T> {
  const signal = options?.signal;
  if (signal?.aborted) throw aborted(signal);
  let token: NativeCancelToken | undefined;
  let onAbort: (() => void) | undefined;
  if (signal) {
    token = native().cancelToken();
    onAbort = () => token?.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
  }
  try {
    return await start({
      random: options?.random?.native ?? null,
      onProgress: options?.onProgress ?? null,
      precision: options?.precision ?? 'fp32',
      tile: options?.tile ?? 0,
      token: token ?? null,
      ...extra,
    });
  } catch (error) {
    throw toLdmError(error, signal);
  } finally {
    if (signal && onAbort) signal.removeEventListener('abort', onAbort);
  }
}

function aborted(signal: AbortSignal | undefined): LdmError {
  return new LdmError('ERR_ABORTED', 'The operation was aborted', { cause: signal?.reason });
}

/** The addon throws plain errors with a code; users see one class. @internal */
export function toLdmError(error: unknown, signal?: AbortSignal): unknown {
  if (error instanceof LdmError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string' || !code.startsWith('ERR_')) return error;
  if (code === 'ERR_ABORTED') return aborted(signal);
  return new LdmError(code as LdmError['code'], (error as Error).message);
}
