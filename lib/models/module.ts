/** The base of every typed model class: a handle of a native module tree with the reference's key names. */
import { LdmError } from '../errors';
import { type CallOptions, gradEnabled, job, toLdmError } from '../job';
import { type DType, type LoadReport, type NativeObject, type NativeValue, native } from '../native';
import { Tensor, unwrapTensors, wrapTensors } from '../tensor';
import { clipTextNames, withoutConstants } from './clip-text-names';

export interface CreateOptions extends CallOptions {
  /** 'cpu' (default) or 'cuda:N'. Weights are drawn on the CPU, as the reference does, and then moved. */
  device?: string;
  /**
   * 'random' (default) draws the reference's initialisation; 'empty' skips that because a checkpoint follows; 'meta' gives
   * names, shapes and dtypes only, without memory: such a model of any size can be looked at, not used.
   */
  init?: 'random' | 'empty' | 'meta';
}

/** Creates a native object; `params` must hold every option (lib/config fills in defaults). @internal */
export function createNative(target: string, params: NativeValue, options: CreateOptions = {}): Promise<NativeObject> {
  return job(options, { device: options.device ?? 'cpu', init: options.init ?? 'random' }, (o) =>
    native().create(target, params, o),
  );
}

/** Calls a method of a native object; tensors in arguments and results are wrapped. @internal */
export async function callNative(
  handle: NativeObject,
  method: string,
  args: Record<string, unknown> = {},
  options?: CallOptions,
): Promise<any> {
  const grad = gradEnabled();
  return wrapTensors(await job(options, { grad }, (o) => native().call(handle, method, unwrapTensors(args), o)));
}

/** A network or model. All methods that compute return promises; the work happens on the device's own thread. */
export class Module {
  /** @internal */
  readonly native: NativeObject;

  /** @internal */
  constructor(handle: NativeObject) {
    this.native = handle;
  }

  get device(): string {
    return this.native.device;
  }
  get disposed(): boolean {
    return this.native.disposed;
  }

  /** Calls a native method by name; tensors in arguments and results are wrapped. @internal */
  call(method: string, args: Record<string, unknown> = {}, options?: CallOptions): Promise<any> {
    return callNative(this.native, method, args, options);
  }

  /**
   * The part of this model at a dotted path such as `loss.perceptual_loss` (torch's `get_submodule`): a second handle of
   * the same weights. Rejects with ERR_INVALID_ARGUMENT when there is no such part.
   */
  async getSubmodule(path: string): Promise<Module> {
    return new Module((await this.call('submodule', { path })).module);
  }

  /** Training mode for the whole tree (dropout, batch statistics). */
  async train(mode = true): Promise<void> {
    await this.call('train', { mode });
  }
  /** Evaluation mode for the whole tree. */
  async eval(): Promise<void> {
    await this.train(false);
  }
  /**
   * Stores the weights of linear maps and convolutions in half precision, for inference in about half the memory. Arithmetic
   * stays as it is: each weight is widened where it is used, so weights that come from a half precision file give the same
   * numbers as in float32. A compact model is not for training.
   * @param options.keep false: the weights' values are undefined until a checkpoint is loaded. Default true.
   */
  async compact(dtype: 'float16' | 'bfloat16', options: { keep?: boolean } = {}): Promise<void> {
    await this.call('compact', { dtype, keep: options.keep ?? true });
  }
  /** Forgets accumulated gradients. */
  async zeroGrad(): Promise<void> {
    await this.call('zeroGrad');
  }

  /** Parameters and buffers under the reference's names, in Python's order. The tensors are the live ones. */
  async stateDict(): Promise<Map<string, Tensor>> {
    const entries = await job(undefined, {}, () => native().state(this.native));
    return new Map(entries.map((e) => [e.name, new Tensor(e.tensor)]));
  }
  /** Trainable parameters by name, in order. */
  async namedParameters(): Promise<Map<string, Tensor>> {
    const entries = await job(undefined, {}, () => native().namedParameters(this.native));
    return new Map(entries.map((e) => [e.name, new Tensor(e.tensor)]));
  }

  /**
   * Copies tensors into parameters and buffers, casting to their dtype.
   * @param options.strict default true: missing, unexpected or mis-shaped keys reject with ERR_MISSING_KEYS and change
   *   nothing. When false only mis-shaped keys reject; the report tells the rest.
   * @param options.ignoreKeys prefixes of keys to leave out (the reference's `ignore_keys`)
   */
  async loadStateDict(
    state: ReadonlyMap<string, Tensor>,
    options: { strict?: boolean; ignoreKeys?: readonly string[]; source?: string } = {},
  ): Promise<LoadReport> {
    const strict = options.strict ?? true;
    const ignore = options.ignoreKeys ?? [];
    const entries: Record<string, Tensor['native']> = {};
    for (const [name, tensor] of clipTextNames(state))
      if (!ignore.some((p) => name.startsWith(p))) entries[name] = tensor.native;
    const load = (requireAll: boolean) =>
      job(undefined, {}, () => native().load(this.native, entries, { requireAll, requireShapes: true }));
    let report = withoutConstants(await load(strict));
    // Nothing was changed if a constant was all that is missing.
    if (strict && report.constants > 0 && report.missing.length + report.unexpected.length === 0)
      report = withoutConstants(await load(false));
    const wrong =
      report.mismatched.length > 0 || (strict && (report.missing.length > 0 || report.unexpected.length > 0));
    if (wrong) throw new LdmError('ERR_MISSING_KEYS', describeReport(report, strict, options.source));
    const { missing, unexpected, mismatched } = report;
    return { missing, unexpected, mismatched };
  }

  /** Moves and casts in place. */
  async to(options: { device?: string; dtype?: DType }): Promise<this> {
    try {
      await native().to(this.native, options.device ?? this.device, options.dtype ?? null);
    } catch (error) {
      throw toLdmError(error);
    }
    return this;
  }

  /** Frees the model as soon as its running job has ended. */
  dispose(): void {
    this.native.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
  /** Cancels running and queued work on this model, waits for it, then frees the model. */
  async close(): Promise<void> {
    await native().close(this.native);
    this.dispose();
  }
}

function describeReport(report: LoadReport, strict: boolean, source?: string): string {
  const part = (title: string, list: string[]) =>
    list.length
      ? `\n  ${title} (${list.length}): ${list.slice(0, 8).join(', ')}${list.length > 8 ? `, and ${list.length - 8} more` : ''}`
      : '';
  return (
    `The weights${source ? ` of ${source}` : ''} do not fit the model:` +
    (strict ? part('missing', report.missing) + part('unexpected', report.unexpected) : '') +
    part(
      'of another shape',
      report.mismatched.map((m) => `${m.name} (model [${m.expected}], file [${m.found}])`),
    ) +
    '\nUse the config that belongs to this checkpoint, name prefixes in ignore_keys, or load with strict=false.'
  );
}
