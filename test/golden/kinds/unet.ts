/** unet_*: a U-Net's output, the gradients of its inputs and the gradients of all its parameters. */
import fs from 'node:fs';
import { noGrad } from '../../../lib/job';
import type { UNetModel } from '../../../lib/models/unet-model';
import { Tensor } from '../../../lib/tensor';
import type { GoldenCase, KindHandler } from '../runner/case';
import { checksums } from '../runner/tables';

const unetKind: KindHandler = async (c) => {
  const unet = (await c.build(c.model!.params!.unet_config, { prefix: 'model.diffusion_model.' })) as UNetModel;
  const t = c.input('t');
  const x = c.input('x').clone().requiresGrad_(true);
  const context = c.hasInput('context') ? c.input('context').clone().requiresGrad_(true) : undefined;
  const y = c.hasInput('y') ? c.input('y') : undefined;

  const eps = await unet.forward(x, t, { context, y });
  await c.out('eps', eps);
  if (c.hasInput('x2')) await otherSize(c, unet);

  // the objective: the output weighted by numbers from -1 to 1, as torch.linspace rounds them
  await eps.mul(linspace(eps.numel, c.device).reshape(eps.shape)).sum().backward();
  await c.out('dx', (await x.grad())!);
  if (context) await c.out('dcontext', (await context.grad())!);
  await reportGradients(c, unet);
};

/** One further evaluation, of a single image of another shape. */
async function otherSize(c: GoldenCase, unet: UNetModel): Promise<void> {
  const first = (name: string) => (c.hasInput(name) ? c.input(name).slice(0, 0, 1) : undefined);
  const conditions = { context: first('context'), y: first('y') };
  await c.out('eps_x2', await noGrad(() => unet.forward(c.input('x2'), c.input('t').slice(0, 0, 1), conditions)));
}

async function reportGradients(c: GoldenCase, unet: UNetModel): Promise<void> {
  const gradients = new Map<string, Tensor>();
  const without: string[] = [];
  for (const [name, parameter] of await unet.namedParameters()) {
    const gradient = await parameter.grad();
    if (gradient) gradients.set(name, gradient);
    else without.push(name);
  }
  c.noGrad(without);
  const { names, table } = await checksums(gradients);
  c.expectEqual('grad_checksum_names', names, c.meta.grad_checksum_names);
  await c.out('grad_checksums', table.slice(1, 0, 3));
  // the cases with a checkpoint of their own leave this one out
  if (!fs.existsSync(c.file('model.ckpt')))
    await c.out('grad.time_embed.0.weight', gradients.get('time_embed.0.weight')!.slice(0, 0, 8));
}

/** torch.linspace(-1, 1, n): counted from the nearer end, so that both ends are exact. */
function linspace(n: number, device: string): Tensor {
  const step = Math.fround(2 / (n - 1));
  const values = Float32Array.from({ length: n }, (_, i) => (i < n / 2 ? -1 + step * i : 1 - step * (n - 1 - i)));
  return Tensor.from(values, [n], { device });
}

export default unetKind;
