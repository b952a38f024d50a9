/** What the bench and a side of it, a process of its own, say to each other: JSON lines on stdin and stdout. */
import type { BenchPrecision, Settings } from './workload';

/** The argument that a side is started with. */
export interface SideSpec {
  /** Name of the workload, for our side. */
  workload: string;
  /** Its file in bench/peers/workloads, for Python. */
  peer: string;
  settings: Settings;
  threads: number;
  device: string;
  precision: BenchPrecision;
  /** Python only: torch.compile. */
  compile: boolean;
  folder: string;
  /** Ours only: write the files that both sides read, then end. */
  prepare?: boolean;
}

/** First line of a side. */
export interface ReadyLine {
  ready: { version: string };
}

/** Asks for one run; the outputs go to a file as float32 in the order of the answer. */
export interface RunLine {
  outputs: string | null;
  /** Ours only: watch the event loop meanwhile, which wakes a thread every millisecond. */
  loopDelay: boolean;
}

export interface RunAnswer {
  seconds: number;
  /** Bytes, where the work was done by another process. */
  peakRss?: number;
  outputs?: [name: string, count: number][];
  /** Delay of our event loop during the run, in milliseconds. */
  loopDelay?: number;
}
