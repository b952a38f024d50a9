/** A golden case as it lies in a folder: opens it, serves its handler, keeps what was reported. */
import fs from 'node:fs';
import path from 'node:path';
import { type Checkpoint, readCheckpoint } from '../../../lib/checkpoint';
import { loadConfig } from '../../../lib/config';
import type { Module } from '../../../lib/models/module';
import { instantiateFromConfig } from '../../../lib/models/registry';
import { Tape } from '../../../lib/random';
import { Tensor } from '../../../lib/tensor';
import type { BuildOptions, GoldenCase, GoldenMeta, OutputValue, TargetNode } from './case';
import { isFloat, type Values, type Verdict } from './compare';
import { GoldenFile } from './golden-file';
import { canonical, readJson } from './json';
import { fillDeterministic, fillHeads } from './weights';

export class LoadedCase implements GoldenCase {
  readonly name: string;
  readonly meta: GoldenMeta;
  readonly config?: Record<string, any>;
  /** What was reported so far, by name. */
  readonly outputs = new Map<string, Promise<Values>>();
  /** Results of {@link expectEqual}. */
  readonly verdicts: Verdict[] = [];
  noGradNames: string[] | undefined;

  readonly #golden: GoldenFile;
  readonly #onDevice = new Map<string, Tensor>();
  readonly #kept: { dispose(): void }[] = [];
  #checkpoint: Promise<Checkpoint> | undefined;

  private constructor(
    readonly dir: string,
    readonly device: string,
    golden: GoldenFile,
  ) {
    this.name = path.basename(dir);
    this.meta = readJson(path.join(dir, 'meta.json'));
    this.#golden = golden;
    const config = this.file('config.yaml');
    if (fs.existsSync(config)) this.config = loadConfig(config).values as Record<string, any>;
  }
  static open(dir: string, device: string): LoadedCase {
    return new LoadedCase(path.resolve(dir), device, new GoldenFile(path.join(dir, 'golden.safetensors')));
  }

  get kind(): string {
    return this.meta.kind;
  }
  get model(): TargetNode | undefined {
    return this.config?.model;
  }
  file(name: string): string {
    return path.join(this.dir, name);
  }

  // ------------------------------------------------------------------------------------------------ inputs
  input(name: string): Tensor {
    return this.#tensor(`in.${name}`);
  }
  hasInput(name: string): boolean {
    return this.#golden.tensors.has(`in.${name}`);
  }
  inputs(prefix = ''): Map<string, Tensor> {
    const start = `in.${prefix}`;
    return new Map(this.#names(start).map((name) => [name.slice(start.length), this.#tensor(name)]));
  }
  weights(prefix = ''): Map<string, Tensor> {
    return new Map(this.#names(`w.${prefix}`).map((name) => [name.slice(2), this.#tensor(name)]));
  }
  tape(tag = ''): Tape {
    const items = this.#draws(tag).map((name) => ({ kind: name.split('.').at(-1)!, tensor: this.#tensor(name) }));
    return this.keep(new Tape(items));
  }
  hasTape(tag = ''): boolean {
    return this.#draws(tag).length > 0;
  }
  /** The golden value of an output, an allowance or anything else in golden.safetensors. */
  async golden(name: string): Promise<Values | undefined> {
    const tensor = this.#golden.tensors.get(name)?.tensor();
    return tensor && valuesOf(tensor);
  }
  /** Names of the expected outputs, without `out.`; empty where they were taken out. */
  expectedNames(): string[] {
    return this.#names('out.').map((name) => name.slice(4));
  }

  // ------------------------------------------------------------------------------------------------ building
  async build(node: TargetNode | undefined = this.model, options: BuildOptions = {}): Promise<Module> {
    if (!node) throw new Error(`${this.name} has no config.yaml; pass the node to build`);
    const init = options.init ?? 'empty';
    const module = this.keep(await instantiateFromConfig(node, { device: this.device, init, random: options.tape }));
    if (options.fill ?? true) await this.#fill(module, options.prefix ?? '');
    await module.eval();
    return module;
  }
  async fillDet(module: Module, prefix = ''): Promise<void> {
    const { det_weights_seed: seed, det_scale: scale } = this.meta;
    await fillDeterministic(module, { prefix, seed, scale });
  }
  checkpoint(): Promise<Checkpoint> {
    this.#checkpoint ??= readCheckpoint(this.file('model.ckpt')).then((checkpoint) => this.keep(checkpoint));
    return this.#checkpoint;
  }
  keep<T extends { dispose(): void }>(thing: T): T {
    this.#kept.push(thing);
    return thing;
  }

  async #fill(module: Module, prefix: string): Promise<void> {
    const { det_weights_seed: seed, det_scale: scale, det_weights_prefixes: only } = this.meta;
    await fillHeads(module);
    const stored = fs.existsSync(this.file('model.ckpt'));
    if (stored) {
      const { stateDict } = await this.checkpoint();
      const state = new Map<string, Tensor>();
      for (const [name, tensor] of stateDict) if (name.startsWith(prefix)) state.set(name.slice(prefix.length), tensor);
      await module.loadStateDict(state, { strict: false, source: this.file('model.ckpt') });
    }
    if (!stored || only) await fillDeterministic(module, { prefix, seed, scale, only });
  }

  // ------------------------------------------------------------------------------------------------ outputs
  out(name: string, value: OutputValue): Promise<void> {
    if (this.outputs.has(name)) throw new Error(`the output '${name}' was reported twice`);
    const values = this.#asValues(name, value);
    this.outputs.set(name, values);
    values.catch(() => {}); // the runner awaits all of them; until then a rejection is not unhandled
    return values.then(() => {});
  }
  noGrad(names: readonly string[]): void {
    this.noGradNames = [...(this.noGradNames ?? []), ...names];
  }
  expectEqual(name: string, actual: unknown, expected: unknown): void {
    const [a, e] = [canonical(actual), canonical(expected)];
    const short = (text: string | undefined) => (text ?? 'undefined').slice(0, 200);
    const ok = a === e;
    this.verdicts.push({
      name,
      ok,
      detail: ok ? 'equal' : `${short(a)} where ${short(e)} is expected`,
      ratio: ok ? 0 : Infinity,
    });
  }

  dispose(): void {
    for (const thing of this.#kept.reverse()) thing.dispose();
    for (const tensor of this.#onDevice.values()) tensor.dispose();
    this.#golden.dispose();
  }

  async #asValues(name: string, value: OutputValue): Promise<Values> {
    if (value instanceof Tensor) return valuesOf(value);
    if (typeof value === 'boolean') return { dtype: 'uint8', shape: [], data: Uint8Array.of(Number(value)) };
    if (typeof value === 'number' || Array.isArray(value)) {
      const flat = (typeof value === 'number' ? [value] : value) as number[];
      const shape = typeof value === 'number' ? [] : [flat.length];
      return this.#holdsIntegers(name, flat)
        ? { dtype: 'int64', shape, data: BigInt64Array.from(flat, BigInt) }
        : { dtype: 'float64', shape, data: Float64Array.from(flat) };
    }
    using t = Tensor.from(value as ArrayBufferView);
    return valuesOf(t);
  }
  /** Plain numbers do not tell integers from floats; the golden tensor does, or the allowance that only floats have. */
  #holdsIntegers(name: string, values: readonly number[]): boolean {
    const golden = this.#golden.tensors.get(`out.${name}`);
    if (golden) return golden.dtype !== 'complex64' && !isFloat(golden.dtype);
    return !(name in (this.meta.allowed ?? {})) && values.every(Number.isSafeInteger);
  }

  #tensor(name: string): Tensor {
    const known = this.#onDevice.get(name);
    if (known) return known;
    const mapped = this.#golden.tensors.get(name)?.tensor();
    if (!mapped) throw new Error(`${this.name} has no tensor '${name}'`);
    // a copy: what a handler does to it in place must not reach the mapping
    const tensor = this.device === 'cpu' ? mapped.clone() : mapped.to({ device: this.device });
    this.#onDevice.set(name, tensor);
    return tensor;
  }
  #names(prefix: string): string[] {
    return [...this.#golden.tensors.keys()].filter((name) => name.startsWith(prefix));
  }
  #draws(tag: string): string[] {
    const start = `rand.${tag}`;
    return this.#names(start)
      .filter((name) => /^\d+\.\w+$/.test(name.slice(start.length)))
      .sort((a, b) => Number.parseInt(a.slice(start.length), 10) - Number.parseInt(b.slice(start.length), 10));
  }
}

/** The elements of a tensor. Reading is queued when this is called; half types come as float32. */
function valuesOf(tensor: Tensor): Promise<Values> {
  const half = tensor.dtype === 'float16' || tensor.dtype === 'bfloat16';
  const readable = half ? tensor.to({ dtype: 'float32' }) : tensor;
  const { dtype, shape } = readable;
  return readable.data().then((data) => {
    if (half) readable.dispose();
    return { dtype, shape, data };
  });
}
