/** seeded_init: what a seed gives, and the fresh weights of models, whose values tell the order of construction. */
import { instantiateFromConfig, type Module, NLayerDiscriminator } from '../../../lib/models';
import { Generator } from '../../../lib/random';
import { op, Tensor } from '../../../lib/tensor';
import type { KindHandler, TargetNode } from '../runner/case';
import { checksums } from '../runner/tables';

const SEED = 123;

const init: KindHandler = async (c) => {
  const seeded = () => c.keep(new Generator(SEED));
  const configs = c.meta.configs as Record<string, TargetNode>;
  const report = async (tag: string, model: Module) => {
    const floats = [...(await model.stateDict())].filter(([, tensor]) => tensor.dtype.includes('float'));
    const { names, table } = await checksums(floats);
    c.expectEqual(`names of ${tag}`, names, c.meta.names[tag]);
    await c.out(`${tag}.checksums`, table);
  };
  for (const [tag, node] of Object.entries(configs))
    await report(tag, c.keep(await instantiateFromConfig(node, { device: c.device, random: seeded() })));

  const stream = seeded();
  const sizes = { input_nc: 3, n_layers: 2, ndf: 16 };
  const discriminator = c.keep(await NLayerDiscriminator.create(sizes, { device: c.device, random: stream }));
  await discriminator.weightsInit({ random: stream });
  await report('disc', discriminator);

  const random = seeded();
  await c.out('rng.randn8', Tensor.randn([8], { random }));
  await c.out('rng.randn20', Tensor.randn([20], { random }));
  await c.out('rng.randint', op('randint', [0, 1000, [6], 'int64', 'cpu'], random));
  await c.out('rng.rand5', Tensor.rand([5], { random }));
};

export default init;
