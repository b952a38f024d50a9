import { Tensor } from '../../lib/tensor';
import { Adam, AdamW } from '../../lib/training/optimizer';

const start = [0.5, -1.25, 2];

/** The nearest bfloat16. */
function bf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16) << 16;
  return new Float32Array(bits.buffer)[0];
}

/** The weights after steps on the loss sum(scale * w^2), by the papers' formulas in float64; `held` is what is kept of a first moment. */
function byHand(
  steps: number,
  decoupled: boolean,
  weightDecay: number,
  { lr = 0.1, scale = 0.5, held = (m: number) => m } = {},
): number[] {
  const w = [...start];
  const m = w.map(() => 0);
  const v = w.map(() => 0);
  for (let t = 1; t <= steps; t++)
    for (const i of w.keys()) {
      let g = 2 * scale * w[i];
      if (decoupled) w[i] *= 1 - lr * weightDecay;
      else g += weightDecay * w[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      w[i] -= (lr * (m[i] / (1 - 0.9 ** t))) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
      m[i] = held(m[i]);
    }
  return w;
}

const leaf = (values: number[] = start) => Tensor.from(Float32Array.from(values), undefined, { requiresGrad: true });

async function train(optimizer: Adam | AdamW, w: Tensor, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await optimizer.zeroGrad();
    await w.mul(w).mul(0.5).sum().backward();
    await optimizer.step();
  }
}

const numbers = async (t: Tensor) => [...(await t.data())].map(Number);

function expectClose(found: number[], wanted: number[]): void {
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(wanted[i], 5);
}

test.each([0, 0.1])('Adam follows its formula with weight decay %p', async (weightDecay) => {
  const w = leaf();
  await train(await Adam.create([w], { lr: 0.1, weightDecay }), w, 5);
  expectClose(await numbers(w), byHand(5, false, weightDecay));
});

test('AdamW decays the weights by themselves, by 0.01 unless told otherwise', async () => {
  const w = leaf();
  await train(await AdamW.create([w], { lr: 0.1 }), w, 5);
  expectClose(await numbers(w), byHand(5, true, 0.01));
});

test.each([Adam, AdamW])('%p with first moments in bfloat16 follows its formula with rounded ones', async (kind) => {
  // more weights than are stepped at a time, whose memory is laid out otherwise than their order
  const columns = 30000;
  const turned = Tensor.from(
    Float32Array.from({ length: 3 * columns }, (_, i) => start[i % 3]),
    [columns, 3],
  ).permute(1, 0);
  const w = (await turned.ready()).requiresGrad_(true);
  const optimizer = await kind.create([w], { lr: 0.1, weightDecay: 0.1, firstMoment: 'bf16' });
  await train(optimizer, w, 5);
  const wanted = byHand(5, kind === AdamW, 0.1, { held: bf16 });
  expect(Math.abs(wanted[1] - byHand(5, kind === AdamW, 0.1)[1])).toBeGreaterThan(1e-5);
  const column = async (t: Tensor, at: number) => {
    const all = await t.data();
    return [0, 1, 2].map((row) => Number(all[row * columns + at]));
  };
  for (const at of [0, 21844, columns - 1]) expectClose(await column(w, at), wanted);
  const saved = await optimizer.state();
  expect((saved.state[0].exp_avg as Tensor).dtype).toBe('bfloat16');
  expect((saved.state[0].exp_avg_sq as Tensor).dtype).toBe('float32');
  // goes on in either format
  for (const firstMoment of ['bf16', 'fp32'] as const) {
    const copy = w.detach().clone().requiresGrad_(true);
    const other = await kind.create([copy], { lr: 0.1, weightDecay: 0.1, firstMoment });
    await other.loadState(saved);
    const moment = (await other.state()).state[0].exp_avg as Tensor;
    expect(moment.dtype).toBe(firstMoment === 'bf16' ? 'bfloat16' : 'float32');
    await train(other, copy, 1);
    const next = byHand(6, kind === AdamW, 0.1, { held: bf16 });
    expectClose(await column(copy, 21844), next);
  }
});

test('another format of first moments is refused', async () => {
  await expect(Adam.create([leaf()], { firstMoment: 'fp16' as never })).rejects.toThrow(
    "'firstMoment' must be 'fp32' or 'bf16', but is 'fp16'",
  );
});

test('a parameter without gradient stays as it is, and its state is that of a new one', async () => {
  const [w, idle] = [leaf(), leaf([7])];
  const optimizer = await AdamW.create([idle, w]);
  await train(optimizer, w, 1);
  expect(await numbers(idle)).toEqual([7]);
  const { state } = await optimizer.state();
  expect(Object.keys(state)).toEqual(['0', '1']);
  const [step, moment] = [state[0].step, state[0].exp_avg] as Tensor[];
  expect([await step.item(), await moment.abs().max().item()]).toEqual([0, 0]);
});

test('a gradient whose memory is laid out otherwise is applied to the right weights', async () => {
  const values = Tensor.from([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const w = values.clone().requiresGrad_(true);
  const optimizer = await Adam.create([w], { lr: 0.1 });
  // the gradient of a sum over a transposed product comes back transposed
  await w
    .permute(1, 0)
    .mul(
      Tensor.from([
        [1, -1],
        [1, -1],
        [1, -1],
      ]),
    )
    .sum()
    .backward();
  await optimizer.step();
  expectClose(await numbers(w), [0.9, 1.9, 2.9, 4.1, 5.1, 6.1]);
});

test('a saved state continues exactly', async () => {
  const [a, b] = [leaf(), leaf()];
  const whole = await AdamW.create([a], { lr: 0.1 });
  await train(whole, a, 6);

  const first = await AdamW.create([b], { lr: 0.1 });
  await train(first, b, 3);
  const second = await AdamW.create([b], { lr: 0.5 });
  const state = await first.state();
  expect(await (state.state['0'].step as Tensor).item()).toBe(3);
  expect(state.param_groups).toEqual([
    { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, amsgrad: false, params: [0] },
  ]);
  await second.loadState(state);
  await train(second, b, 3);
  expect(await numbers(b)).toEqual(await numbers(a));
});

test('a state of other parameters is refused and changes nothing', async () => {
  const w = leaf();
  const optimizer = await Adam.create([w]);
  const other = await Adam.create([leaf([1]), leaf([2])]);
  await expect(optimizer.loadState(await other.state())).rejects.toThrow(/1 parameters.*2/);
  await expect(
    optimizer.loadState({
      state: { '0': { step: 1, exp_avg: Tensor.zeros([2]), exp_avg_sq: Tensor.zeros([2]) } },
      param_groups: (await optimizer.state()).param_groups,
    }),
  ).rejects.toThrow(/shape/);
});

test('wrong numbers and no parameters are refused', async () => {
  await expect(Adam.create([])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  await expect(Adam.create([leaf()], { betas: [0.9, 1] })).rejects.toThrow(/betas/);
  await expect(Adam.create([leaf()], { lr: -1 })).rejects.toThrow(/learning rate/);
});
