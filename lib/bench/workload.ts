/** What the bench measures, described once for both sides. */
import type { Tensor } from '../tensor';

/** Arithmetic of our side; peers compute in fp32 in any case. */
export type BenchPrecision = 'fp32' | 'bf16';

/** `quick` is the same work on a tiny network: for tests of the bench, not for figures. */
export type BenchSize = 'full' | 'quick';

/** What both sides work on. Crosses to a process of its own, so it is plain JSON. */
export type Settings = Record<string, unknown>;

/** Where a side runs. */
export interface SideContext {
  device: string;
  precision: BenchPrecision;
  /** Where {@link Workload.prepare} left its files. */
  folder: string;
}

/** Measurements of a workload that starts processes of its own, in place of those around `run`. */
export interface Measured {
  seconds: number;
  /** Bytes. */
  peakRss: number;
}

/** A workload that is set up. */
export interface Session {
  /** Does the work once. The outputs are what the peer's are compared with. */
  run(): Promise<{ outputs: Record<string, Tensor | Float32Array>; measured?: Measured }>;
}

export interface Workload<S extends Settings = any> {
  /** Name on the command line. */
  name: string;
  /** What is measured, for a table. */
  title: string;
  /** Its file in bench/peers/workloads. */
  peer: string;
  /** Default: fp32 only. */
  precisions?: readonly BenchPrecision[];
  /**
   * How far the outputs of both sides may be apart: root mean square of the difference, as a part of the outputs'. Default
   * 1e-3 in fp32, 0.1 in bf16.
   */
  tolerance?: Partial<Record<BenchPrecision, number>>;
  /** Weights change with each run, so only the first one is compared. */
  trains?: boolean;
  settings(size: BenchSize): S;
  /** Writes files that both sides read. */
  prepare?(settings: S, folder: string): Promise<void>;
  setup(settings: S, side: SideContext): Promise<Session>;
}

/** Types the settings of a workload; the table of workloads knows them as JSON only. */
export function workload<S extends Settings>(definition: Workload<S>): Workload<S> {
  return definition;
}
