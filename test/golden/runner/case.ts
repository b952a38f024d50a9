/**
 * What a kind handler sees of a golden case. A handler (test/golden/kinds/<kind>.ts, default export) builds what the case
 * is about, feeds it the inputs and the recorded random draws, and reports every output; comparing is not its concern.
 */

import type { Checkpoint } from '../../../lib/checkpoint';
import type { Module } from '../../../lib/models/module';
import type { Tape } from '../../../lib/random';
import type { Tensor, TensorData } from '../../../lib/tensor';

/** An official config node. */
export interface TargetNode {
  target: string;
  params?: Record<string, any>;
}

/** A case's meta.json. Kinds add fields of their own (`runs`, `specs`, `configs`, ...). */
export interface GoldenMeta {
  case: string;
  kind: string;
  desc: string;
  seed: number;
  /** Absolute error that is allowed on the largest deviation of an output, or a rule for pictures. */
  allowed: Record<string, number | { levels: number; fraction: number }>;
  /** Per output: largest difference between two correct runs of the reference, largest magnitude. */
  noise_floor: Record<string, [number | string, number]>;
  det_weights_prefixes?: string[];
  det_weights_seed: number;
  det_scale?: Record<string, number>;
  /** Parameters that the reference's backward pass reaches with no gradient. */
  no_grad_names?: string[];
  keys?: Record<string, any>;
  [field: string]: any;
}

/** What {@link GoldenCase.out} accepts. Typed arrays keep their element type; numbers become float64, integers int64. */
export type OutputValue = Tensor | TensorData | number | boolean | readonly number[];

export interface BuildOptions {
  /** Source of the constructor's own draws (torch.randn in constructors is on the reference's tape). */
  tape?: Tape;
  /** Prepended to the module's keys when weights are looked up in the checkpoint or filled (official_* cases). */
  prefix?: string;
  /** False: keep the weights that `init: 'empty'` left, load and fill nothing. Default true. */
  fill?: boolean;
  /** 'random' draws the reference's initialisation instead of leaving memory as it is. Default 'empty'. */
  init?: 'empty' | 'random';
}

export interface GoldenCase {
  /** Folder name. */
  readonly name: string;
  readonly dir: string;
  readonly kind: string;
  readonly meta: GoldenMeta;
  /** 'cpu' or 'cuda'. */
  readonly device: string;
  /** The parsed config.yaml as it stands in the file, where the case has one. */
  readonly config?: Record<string, any>;
  /** `config.model`, where the case has one (as in the file: {@link build} fills in defaults). */
  readonly model?: TargetNode;

  /** The tensor `in.<name>` on the device. The case owns it: do not dispose. */
  input(name: string): Tensor;
  hasInput(name: string): boolean;
  /** All inputs whose name starts with `prefix`, by the rest of their name. */
  inputs(prefix?: string): Map<string, Tensor>;
  /** The stored weights `w.<name>` (LPIPS heads) whose name starts with `prefix`, by their whole name. */
  weights(prefix?: string): Map<string, Tensor>;
  /** The draws `rand.<tag>NNN.<kind>` in call order; `tag` ends with a dot, '' are the untagged ones. */
  tape(tag?: string): Tape;
  /** Whether there is any draw under the tag. */
  hasTape(tag?: string): boolean;

  /**
   * Builds a config node (default: {@link model}) in eval mode on the device. Defaults are resolved through lib/config;
   * weights come from model.ckpt, then from the deterministic fill as meta says. The case disposes of the module.
   */
  build(node?: TargetNode, options?: BuildOptions): Promise<Module>;
  /**
   * Fills every float tensor of a module whose name `detweights.skip` does not except with its deterministic value, as
   * if its name began with `prefix` ('<tag>.' in module-only cases); of tied tensors the first name counts; det_scale
   * multiplies last.
   */
  fillDet(module: Module, prefix?: string): Promise<void>;
  /** Model.ckpt as it was read: state_dict, optimizer states, step counters. */
  checkpoint(): Promise<Checkpoint>;
  /** Disposes of something when the case ends; returns it. */
  keep<T extends { dispose(): void }>(thing: T): T;
  /** Path of another file of the case. */
  file(name: string): string;

  /**
   * Reports `out.<name>`. Reading is queued at once, so that the tensor may be changed or disposed of right after the
   * call, also without awaiting.
   */
  out(name: string, value: OutputValue): Promise<void>;
  /** Reports the parameters that got no gradient (compared with meta.no_grad_names, in any order). */
  noGrad(names: readonly string[]): void;
  /** Compares something that is not in golden.safetensors (a name, a list, text) with what meta or a file expects. */
  expectEqual(name: string, actual: unknown, expected: unknown): void;
}

/** Runs one case. */
export type KindHandler = (c: GoldenCase) => Promise<void>;
