/**
 * A sampling run: the steps live in a native step machine; here is how JavaScript waits for them, watches them, or
 * takes part in them.
 */
import { LdmError } from '../errors';
import { type CallOptions, job } from '../job';
import { createNative } from '../models/module';
import { type NativeObject, type NativeValue, native } from '../native';
import { type Tensor, unwrapTensors, wrapTensors } from '../tensor';
import type { ConditioningParts } from './conditioning';

/** One step of a sampling run. */
export interface SamplingStep {
  /** Steps done, 1 to `total`. */
  step: number;
  total: number;
  /** The model's timestep that was denoised. */
  t: number;
  /** The sample after the step, [n, c, h, w]. */
  x: Tensor;
  /** The clean sample as predicted in this step, [n, c, h, w]. */
  predX0: Tensor;
}

/** Where a sampling run stands, without its tensors. */
export type SamplingProgress = Omit<SamplingStep, 'x' | 'predX0'>;

/** Where a score corrector is asked. */
export interface ScoreCorrectorStep {
  x: Tensor;
  t: Tensor;
  index: number;
  conditioning: ConditioningParts | null;
}

/** Changes the network's output in each step, as classifier guidance does. */
export interface ScoreCorrector {
  /**
   * @param eps the network's output (after classifier-free guidance), [n, c, h, w]
   * @param step.x the noisy sample; `t` its timesteps [n]; `index` counts the steps left, 0 in the last; `conditioning` is
   *   what the network was given by place, null for none. PLMS evaluates the network twice in its first step
   * @returns what to use in place of `eps`
   */
  modifyScore(eps: Tensor, step: ScoreCorrectorStep): Tensor | Promise<Tensor>;
}

/** Options of every run that are not about the mathematics. */
export interface RunOptions extends Omit<CallOptions, 'onProgress'> {
  /** Called after each step with its sample, for previews. The next step waits for it. */
  onStep?: (step: SamplingStep) => void | Promise<void>;
  /** Called after each step; costs less than `onStep`. */
  onProgress?: (progress: SamplingProgress) => void;
  scoreCorrector?: ScoreCorrector;
}

/** @internal How a sampler describes its run. */
export interface RunPlan<Result> {
  target: string;
  device: string;
  params: () => NativeValue;
  result: (raw: any) => Result;
}

/**
 * A run that has not begun yet. Await it for the result, or iterate over it for the steps and await it then:
 *
 *     const { samples } = await sampler.sample({ ... });
 *
 *     const run = sampler.sample({ ... });
 *     for await (const { step, total, predX0 } of run) console.log(step, total);
 *     const { samples } = await run;
 *
 * Leaving the loop early ends the run; awaiting it then rejects with ERR_ABORTED.
 */
export class Sampling<Result> implements AsyncIterable<SamplingStep>, PromiseLike<Result> {
  readonly #plan: RunPlan<Result>;
  readonly #options: RunOptions;
  #outcome?: Promise<Result>;
  #iterated = false;

  /** @internal */
  constructor(plan: RunPlan<Result>, options: RunOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
  then<A = Result, B = never>(
    onFulfilled?: ((value: Result) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#outcome ??= this.#runAll();
    return this.#outcome.then(onFulfilled, onRejected);
  }
  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.then(undefined, onRejected);
  }
  finally(onFinally?: (() => void) | null): Promise<Result> {
    return this.then().finally(onFinally);
  }

  [Symbol.asyncIterator](): AsyncGenerator<SamplingStep, void, undefined> {
    if (this.#outcome || this.#iterated)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'A sampling run happens once: iterate over it before awaiting it, and only once',
      );
    this.#iterated = true;
    const outcome = deferred<Result>();
    // Somebody who only iterates learns of errors from the iterator.
    outcome.promise.catch(() => undefined);
    this.#outcome = outcome.promise;
    return this.#steps(outcome);
  }

  async *#steps(outcome: Deferred<Result>): AsyncGenerator<SamplingStep, void, undefined> {
    let machine: NativeObject | undefined;
    try {
      machine = await this.#create();
      for (let done = false; !done; ) {
        const step = await this.#step(machine);
        done = step.done;
        yield step.shown;
      }
      outcome.resolve(await this.#result(machine));
    } catch (error) {
      outcome.reject(error);
      throw error;
    } finally {
      machine?.dispose();
      outcome.reject(new LdmError('ERR_ABORTED', 'The sampling run was left before its last step'));
    }
  }

  async #runAll(): Promise<Result> {
    const machine = await this.#create();
    try {
      if (this.#options.onStep || this.#options.scoreCorrector) {
        while (!(await this.#step(machine)).done);
      } else {
        const { onProgress, ...options } = this.#options;
        const report = onProgress && (({ step, total, t }: SamplingProgress) => onProgress({ step, total, t }));
        await job({ ...options, onProgress: report }, {}, (o) => native().run(machine, 'step', { tensors: false }, o));
      }
      return await this.#result(machine);
    } finally {
      machine.dispose();
    }
  }

  #create(): Promise<NativeObject> {
    const { onProgress, ...options } = this.#options;
    return createNative(this.#plan.target, this.#plan.params(), { ...options, device: this.#plan.device });
  }

  async #step(machine: NativeObject): Promise<{ done: boolean; shown: SamplingStep }> {
    const { onStep, onProgress, scoreCorrector } = this.#options;
    let raw: any;
    if (scoreCorrector) {
      do {
        const { eps, ...where } = await this.#call(machine, 'predict', {});
        const corrected = await scoreCorrector.modifyScore(eps, where);
        raw = await this.#call(machine, 'advance', { eps: corrected, tensors: true });
      } while (!raw.complete);
    } else {
      raw = await this.#call(machine, 'step', { tensors: true });
    }
    const { done, complete, ...shown } = raw as SamplingStep & { done: boolean; complete: boolean };
    onProgress?.({ step: shown.step, total: shown.total, t: shown.t });
    await onStep?.(shown);
    return { done, shown };
  }

  async #result(machine: NativeObject): Promise<Result> {
    return this.#plan.result(await this.#call(machine, 'result', {}));
  }

  async #call(machine: NativeObject, method: string, args: Record<string, unknown>): Promise<any> {
    const { onProgress, ...options } = this.#options;
    return wrapTensors(await job(options, {}, (o) => native().call(machine, method, unwrapTensors(args), o)));
  }
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** Promise.withResolvers, which Node 20 does not have. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((a, b) => {
    resolve = a;
    reject = b;
  });
  return { promise, resolve, reject };
}
