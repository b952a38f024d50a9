/** What a conversion did: for people and, as JSON, for programs. */

export interface ConvertReport {
  source: string;
  target: string;
  /** False for a rehearsal (`dryRun`). */
  written: boolean;
  /** What was written: file by file. */
  files: { path: string; tensors: number; bytes: number }[];
  /** Which weights of a model that has averages: see the options. */
  ema: 'averaged' | 'raw' | 'both' | 'none';
  /** Tensors that diffusers has no place for; they lie in `ldm/rest.safetensors`, where this library finds them again. */
  kept: { what: string; tensors: number }[];
  /** What the target does not have. */
  dropped: { what: string; tensors: number; why: string }[];
  /** Finite values that are infinite in the new dtype. */
  overflowed: { name: string; values: number }[];
  notes: string[];
}

/** Collects a report. */
export class Report {
  readonly result: ConvertReport;

  constructor(source: string, target: string) {
    this.result = {
      source,
      target,
      written: false,
      files: [],
      ema: 'none',
      kept: [],
      dropped: [],
      overflowed: [],
      notes: [],
    };
  }
  note(text: string): void {
    if (!this.result.notes.includes(text)) this.result.notes.push(text);
  }
  /** @param tensors how many; 0 for what has no tensors of the state dict */
  drop(what: string, tensors: number, why: string): void {
    this.result.dropped.push({ what, tensors, why });
  }
  /** Groups names by what they begin with. */
  keep(names: readonly string[]): void {
    const counts = new Map<string, number>();
    for (const name of names) {
      const what = name.includes('.') ? name.split('.')[0] : 'schedule and single values';
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    for (const [what, tensors] of counts) this.result.kept.push({ what, tensors });
  }
  file(path: string, tensors: number, bytes: number): void {
    this.result.files.push({ path, tensors, bytes });
  }
  overflow(name: string, values: number): void {
    if (values > 0) this.result.overflowed.push({ name, values });
  }
}
