/**
 * Randomness is explicit: a {@link Generator} gives the reference's stream for a seed, a {@link Tape} replays given
 * numbers, a {@link Recorder} writes a tape.
 */
import { job, type RandomSource, toLdmError } from './job';
import { type NativeObject, native } from './native';
import { Tensor } from './tensor';

abstract class Source implements RandomSource {
  /** @internal */
  readonly native: NativeObject;
  constructor(handle: NativeObject) {
    this.native = handle;
  }
  dispose(): void {
    this.native.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * libtorch's generator (`torch.Generator`). The same seed on the same device gives the same numbers as in PyTorch. A generator of the
 * CPU may serve a model on a GPU as well: its numbers are then copied there, and both devices draw from one noise.
 */
export class Generator extends Source {
  readonly device: string;
  /**
   * @param seed a non-negative integer (bigint above 2^53)
   * @param device 'cpu' (default) or 'cuda:N'
   */
  constructor(seed: number | bigint, device = 'cpu') {
    let handle: NativeObject;
    try {
      handle = native().generator(seed, device);
    } catch (error) {
      throw toLdmError(error);
    }
    super(handle);
    this.device = device;
  }
  /** Starts the stream anew. */
  async seed(seed: number | bigint): Promise<void> {
    await job(undefined, { device: this.device }, (o) => native().call(this.native, 'seed', { seed }, o));
  }
  /** The state as bytes (uint8), as `torch.Generator.get_state()`: store it to resume exactly. */
  async getState(): Promise<Tensor> {
    const r = await job(undefined, { device: this.device }, (o) => native().call(this.native, 'getState', {}, o));
    return new Tensor(r.state);
  }
  /** Restores a state of {@link getState}. */
  async setState(state: Tensor): Promise<void> {
    await job(undefined, { device: this.device }, (o) =>
      native().call(this.native, 'setState', { state: state.native }, o),
    );
  }
}

/** One recorded draw. `kind` is 'randn', 'rand', 'randint' or 'keepmask' (1 where a dropout keeps). */
export interface TapeItem {
  kind: string;
  tensor: Tensor;
}

/** Replays draws in call order; kind and shape are checked, and {@link finish} checks that none is left. */
export class Tape extends Source {
  constructor(items: readonly TapeItem[]) {
    super(native().tape(items.map((i) => ({ kind: i.kind, tensor: i.tensor.native }))));
  }
  /** Rejects with `ERR_TAPE` when draws are left over. */
  async finish(): Promise<void> {
    await job(undefined, {}, (o) => native().call(this.native, 'finish', {}, o));
  }
}

/** Passes draws on from another source and keeps them. */
export class Recorder extends Source {
  constructor(inner: RandomSource | null = null, device = 'cpu') {
    super(native().recorder(inner?.native ?? null, device));
  }
  /** What was drawn so far. */
  async tape(): Promise<TapeItem[]> {
    const r = await job(undefined, {}, (o) => native().call(this.native, 'tape', {}, o));
    return r.items.map((i: { kind: string; tensor: never }) => ({ kind: i.kind, tensor: new Tensor(i.tensor) }));
  }
}
