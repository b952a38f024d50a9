/** quantizers: each codebook with its options on the same latents, and the lookups of a reduced codebook. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Quantizer, VectorQuantizer, VectorQuantizer2 } from '../../../lib/models/quantizers';
import { Tensor } from '../../../lib/tensor';
import { npy } from '../../helpers/npy';
import type { GoldenCase, KindHandler } from '../runner/case';

const BETA = 0.25;

/** Target and options of each run, by its tag; `remap` is the file of codes in use. */
const RUNS = (remap: string): Record<string, [target: string, options: Record<string, unknown>]> => ({
  v1: [VectorQuantizer.target, {}],
  v2_legacy: [VectorQuantizer2.target, {}],
  v2_fixed: [VectorQuantizer2.target, { legacy: false }],
  v2_sane: [VectorQuantizer2.target, { sane_index_shape: true }],
  v2_remap_extra: [VectorQuantizer2.target, { remap, unknown_index: 'extra' }],
  v2_remap_int: [VectorQuantizer2.target, { remap, unknown_index: 2 }],
  v2_remap_random: [VectorQuantizer2.target, { remap, unknown_index: 'random' }],
});

const quantizer: KindHandler = async (c) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantizers-'));
  try {
    const used = path.join(folder, 'used.npy');
    fs.writeFileSync(used, npy((await c.input('used').toArray()).map(Number)));
    for (const [tag, [target, options]] of Object.entries(RUNS(used))) await oneRun(c, `${tag}.`, target, options);
    await lookups(c, used);
    await ties(c);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
};

/** A quantizer with the codes of `weight` [n, d]. */
async function withCodes(c: GoldenCase, target: string, options: object, weight: Tensor): Promise<Quantizer> {
  const [n_e, e_dim] = weight.shape;
  const node = { target, params: { n_e, e_dim, beta: BETA, ...options } };
  const made = (await c.build(node, { fill: false })) as Quantizer;
  await made.loadStateDict(new Map([['embedding.weight', weight]]), { strict: false });
  return made;
}

async function oneRun(c: GoldenCase, tag: string, target: string, options: object): Promise<void> {
  const made = await withCodes(c, target, options, c.input('codebook'));
  const random = c.tape(tag);
  const z = c.input('z').detach().clone().requiresGrad_(true);
  const { quant, loss, indices } = await made.quantize(z, { random });
  await random.finish();
  await c.out(`${tag}zq`, quant);
  await c.out(`${tag}loss`, loss);
  await c.out(`${tag}ind`, indices);
  const count = quant.shape.reduce((product, size) => product * size, 1);
  const ramp = Float32Array.from({ length: count }, (_, i) => -1 + (2 * i) / (count - 1));
  const weights = Tensor.from(ramp, quant.shape).to({ device: c.device });
  await quant.mul(weights).sum().add(loss.mul(3)).backward();
  await c.out(`${tag}dz`, (await z.grad())!);
  const codes = (await made.namedParameters()).get('embedding.weight')!;
  await c.out(`${tag}dE`, (await codes.grad())!);
}

async function lookups(c: GoldenCase, remap: string): Promise<void> {
  const made = await withCodes(c, VectorQuantizer2.target, { remap, unknown_index: 'extra' }, c.input('codebook'));
  const remapped = c.input('remapped_indices');
  await c.out('unmap_to_all', await made.unmapToAll(remapped));
  const all = Tensor.from(BigInt64Array.from([3, 11, 5, 1, 0, 7, 2, 3], BigInt), [2, 4]).to({ device: c.device });
  await c.out('remap_to_used', await made.remapToUsed(all));
  await c.out('get_codebook_entry', (await made.codebookEntry(remapped.reshape(2, 2, 2))).detach());
}

/** Of equal distances the first code is taken. */
async function ties(c: GoldenCase): Promise<void> {
  const codes = Tensor.from([1, 0, 1, 0, -1, 0], [3, 2]).to({ device: c.device });
  const made = await withCodes(c, VectorQuantizer2.target, {}, codes);
  await c.out('tie.ind', (await made.quantize(c.input('tie.z'))).indices);
}

export default quantizer;
