/** ema: five updates of a moving average over parameters that the case changes in between. */
import { Tensor } from '../../../lib/tensor';
import { LitEma, type LitEmaOptions } from '../../../lib/training/lit-ema';
import type { GoldenCase, KindHandler } from '../runner/case';

const RUNS: Record<string, LitEmaOptions> = { num: {}, nonum: { useNumUpdates: false }, decay05: { decay: 0.05 } };

const emaKind: KindHandler = async (c) => {
  for (const [tag, options] of Object.entries(RUNS)) {
    let bias = Tensor.full([2], 0.25, { device: c.device });
    const ema = c.keep(await LitEma.create(parameters(c, 0, bias), options));
    for (let i = 1; i <= 5; i++) {
      bias = bias.add(0.1);
      await ema.update(parameters(c, i, bias));
    }
    // The spec holds on to the live buffers: each of its after<i> shows the state after the last update.
    const state = await ema.stateDict();
    for (let i = 1; i <= 5; i++)
      for (const name of ['aweight', 'abias', 'num_updates']) await c.out(`${tag}.after${i}.${name}`, state.get(name)!);
    await c.out(`${tag}.decay`, state.get('decay')!);
    c.expectEqual('buffer_names', [...state.keys()], c.meta.buffer_names);
  }
};

function parameters(c: GoldenCase, i: number, bias: Tensor): Map<string, Tensor> {
  const trained = (t: Tensor) => t.clone().detach().requiresGrad_(true);
  return new Map([
    ['a.weight', trained(c.input(`w${i}`))],
    ['a.bias', trained(bias)],
    ['blk.0.weight', trained(Tensor.full([2, 2], 0.5, { device: c.device }))],
    ['frozen', Tensor.ones([2], { device: c.device })],
  ]);
}

export default emaKind;
