/** golden.safetensors of a case. Unlike a checkpoint it may be empty: a case whose outputs were taken out, without inputs. */

import type { FileTensor } from '../../../lib/checkpoint';
import { Mappings } from '../../../lib/checkpoint/mapped-tensor';
import { readSafetensorsHeader } from '../../../lib/checkpoint/safetensors';

export class GoldenFile {
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly #mappings = new Mappings(Number.POSITIVE_INFINITY);

  constructor(file: string) {
    this.tensors = readSafetensorsHeader(file, this.#mappings).tensors;
  }
  dispose(): void {
    this.#mappings.dispose();
  }
}
