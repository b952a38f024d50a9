/**
 * Charts of the adversarial losses over the discriminator's answer. They are asked of the loss itself: its discriminator gets
 * weights with which its answer is the value of a pixel, and pictures of one colour go through it.
 */
import { DiagonalGaussianDistribution } from '../models/diagonal-gaussian-distribution';
import { LPIPSWithDiscriminator } from '../models/lpips-with-discriminator';
import type { Panel, Series } from '../pictures/line-chart';
import { Tensor } from '../tensor';

const KINDS = ['hinge', 'vanilla'] as const;
const SIDE = 8;
/** Answers that are drawn. */
const RANGE = { low: -4, high: 4, step: 0.25 };
/** So sure an answer that the other picture's part of the loss is 0 in float32. */
const SURE = 200;
/** Keeps what LeakyReLU gets positive, where it changes nothing. */
const LIFT = 1024;

/** A discriminator of two convolutions and ActNorm that passes one pixel through. */
async function pixelDiscriminator(kind: (typeof KINDS)[number], discFactor: number): Promise<LPIPSWithDiscriminator> {
  const loss = await LPIPSWithDiscriminator.create({
    disc_start: 0,
    disc_loss: kind,
    disc_factor: discFactor,
    disc_num_layers: 1,
    use_actnorm: true,
    perceptual_weight: 0,
  } as Parameters<typeof LPIPSWithDiscriminator.create>[0]);
  const state = new Map<string, Tensor>();
  for (const [name, parameter] of await loss.namedParameters()) {
    if (!name.startsWith('discriminator.')) continue;
    const { shape } = parameter;
    const count = shape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(count);
    // The tap [1, 1] of a 4x4 kernel with padding 1 never sees the border.
    if (shape.length === 4 && shape[2] === 4) values[5] = 1;
    if (name.endsWith('scale')) values.fill(1);
    if (name === 'discriminator.main.0.bias') values[0] = LIFT;
    if (shape.length === 1 && shape[0] === 1 && name.endsWith('bias')) values[0] = -LIFT;
    state.set(name, Tensor.from(values, shape));
  }
  state.set('discriminator.main.3.initialized', Tensor.full([], 1, { dtype: 'uint8' }));
  await loss.loadStateDict(state, { strict: false });
  for (const tensor of state.values()) tensor.dispose();
  await loss.eval();
  return loss;
}

interface Curves {
  real: [number, number][];
  fake: [number, number][];
  generator: [number, number][];
}

async function curvesOf(kind: (typeof KINDS)[number]): Promise<Curves> {
  using loss = await pixelDiscriminator(kind, 1);
  // At factor 0 the loss does not ask for the gradients that the adaptive weight compares; g_loss is logged all the same.
  using unweighted = await pixelDiscriminator(kind, 0);
  const curves: Curves = { real: [], fake: [], generator: [] };
  using moments = Tensor.zeros([1, 2, 1, 1]);
  const posterior = await DiagonalGaussianDistribution.create(moments);
  const ask = async (real: number, fake: number, optimizerIdx: number, name: string): Promise<number> => {
    using inputs = Tensor.full([1, 3, SIDE, SIDE], real);
    using reconstructions = Tensor.full([1, 3, SIDE, SIDE], fake);
    const asked = optimizerIdx === 0 ? unweighted : loss;
    const { log } = await asked.forward(inputs, reconstructions, posterior, { optimizerIdx, globalStep: 1 });
    return log[`train/${name}`]!.item();
  };
  for (let x = RANGE.low; x <= RANGE.high; x += RANGE.step) {
    curves.real.push([x, await ask(x, -SURE, 1, 'disc_loss')]);
    curves.fake.push([x, await ask(SURE, x, 1, 'disc_loss')]);
    curves.generator.push([x, await ask(0, x, 0, 'g_loss')]);
  }
  return curves;
}

/** Hinge beside vanilla, for real pictures, for reconstructions, and what the autoencoder is told. */
export async function ganPanels(): Promise<Panel[]> {
  const byKind = await Promise.all(KINDS.map(async (kind) => [kind, await curvesOf(kind)] as const));
  const series = (which: keyof Curves): Series[] =>
    byKind.map(([kind, curves]) => ({ name: kind, points: curves[which] }));
  return [
    {
      title: 'Discriminator, a real picture: its part of disc_loss',
      xLabel: 'answer of the discriminator (logits_real)',
      yLabel: 'disc_loss',
      series: series('real'),
    },
    {
      title: 'Discriminator, a reconstruction: its part of disc_loss',
      xLabel: 'answer of the discriminator (logits_fake)',
      yLabel: 'disc_loss',
      series: series('fake'),
    },
    {
      title: 'Autoencoder, before its adaptive weight: g_loss (the same for both)',
      xLabel: 'answer of the discriminator (logits_fake)',
      yLabel: 'g_loss',
      series: series('generator')
        .slice(0, 1)
        .map(({ points }) => ({ name: 'g_loss', points })),
    },
  ];
}
