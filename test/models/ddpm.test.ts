import { DDPM, LatentDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { AdamW } from '../../lib/training/optimizer';
import { tinyDdpm, tinyLatentDiffusion, tinyUnet } from '../helpers/tiny-diffusion';

const numbers = async (t: Tensor) => [...(await t.data())].map(Number);
const timesteps = (...t: number[]) => Tensor.from(t, [t.length], { dtype: 'int64' });
const image = (n: number, seed = 1) => Tensor.randn([n, 8, 8, 3], { seed });

describe('DDPM', () => {
  let model: DDPM;
  beforeAll(async () => {
    model = await tinyDdpm();
  });
  afterAll(() => model.close());

  test('the formulas undo each other', async () => {
    const [x0, noise] = [Tensor.randn([2, 3, 8, 8], { seed: 1 }), Tensor.randn([2, 3, 8, 8], { seed: 2 })];
    const t = timesteps(1, 4);
    const x = await model.qSample(x0, t, noise);
    const worst = async (a: Tensor, b: Tensor) => (await a.sub(b).abs().max().item()) as number;
    expect(await worst(await model.predictStartFromNoise(x, t, noise), x0)).toBeLessThan(1e-5);
    expect(await worst(await model.predictEpsFromXstart(x, t, x0), noise)).toBeLessThan(1e-4);
  });

  test('at t = 0 the posterior is the clean sample', async () => {
    const [x0, x] = [Tensor.randn([1, 3, 8, 8], { seed: 1 }), Tensor.randn([1, 3, 8, 8], { seed: 2 })];
    const { mean, variance } = await model.qPosterior(x0, x, timesteps(0));
    expect(await mean.sub(x0).abs().max().item()).toBeLessThan(1e-6);
    expect(await numbers(variance)).toEqual([0]);
  });

  test('given betas are the schedule, and tell the number of timesteps', async () => {
    const given = await tinyDdpm({ given_betas: [0.1, 0.2, 0.5] });
    expect(given.numTimesteps).toBe(3);
    const bar = await numbers((await given.schedule()).alphas_cumprod);
    expect(bar[2]).toBeCloseTo(0.9 * 0.8 * 0.5, 6);
    await given.close();
  });

  test('pSample adds no noise at t = 0, also where it does for others of the batch', async () => {
    const x = Tensor.randn([2, 3, 8, 8], { seed: 3 });
    const draw = async (seed: number) => (await model.pSample(x, timesteps(0, 3), { random: new Generator(seed) })).x;
    const [a, b] = [await draw(1), await draw(2)];
    expect(await numbers(a.slice(0, 0, 1))).toEqual(await numbers(b.slice(0, 0, 1)));
    expect(await numbers(a.slice(0, 1, 2))).not.toEqual(await numbers(b.slice(0, 1, 2)));
  });

  test('pMeanVariance clamps the predicted clean sample when asked to', async () => {
    const x = Tensor.full([1, 3, 8, 8], 5);
    const free = await model.pMeanVariance(x, timesteps(3), { clipDenoised: false });
    const clamped = await model.pMeanVariance(x, timesteps(3), { clipDenoised: true });
    expect(await free.x0.abs().max().item()).toBeGreaterThan(1);
    expect(await clamped.x0.abs().max().item()).toBe(1);
  });

  test('the loss is the weighted sum of its parts', async () => {
    const weighted = await tinyDdpm({ l_simple_weight: 0.5, original_elbo_weight: 0.1 });
    const { loss, log } = await weighted.pLosses(Tensor.randn([2, 3, 8, 8], { seed: 1 }), timesteps(1, 4));
    const [simple, vlb] = [await log['val/loss_simple'].item(), await log['val/loss_vlb'].item()];
    expect(await loss.item()).toBeCloseTo(0.5 * Number(simple) + 0.1 * Number(vlb), 5);
    expect(Object.keys(log)).toEqual(['val/loss_simple', 'val/loss_vlb', 'val/loss']);
    await weighted.close();
  });

  test('pictures of the training', async () => {
    const batch = { image: image(3) };
    const log = await model.logImages(batch, { N: 2, n_row: 2, random: new Generator(1) });
    expect(Object.keys(log)).toEqual(['inputs', 'diffusion_row', 'samples', 'denoise_row']);
    expect(log.inputs.shape).toEqual([2, 3, 8, 8]);
    expect(log.samples.shape).toEqual([2, 3, 8, 8]);
    // t = 0, 2, 4, 5 side by side, for two images, with lines of two pixels
    expect(log.diffusion_row.shape).toEqual([3, 22, 42]);
  });

  test('a batch without images is refused with what it has', async () => {
    await expect(model.sharedStep({ picture: image(1) })).rejects.toThrow(/no 'image'; it has: picture/);
    await expect(model.sharedStep({ image: Tensor.zeros([4]) })).rejects.toThrow(/\[n, h, w, c\]/);
  });

  test('wrong options are refused', async () => {
    const unet_config = tinyUnet();
    await expect(DDPM.create({ unet_config, parameterization: 'score' as 'eps' })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
    });
    await expect(DDPM.create({ unet_config, use_positional_encodings: true })).rejects.toThrow(/positional/);
  });
});

describe('training', () => {
  const batch = () => ({ image: image(2), class_label: timesteps(1, 3) });
  const args = (globalStep: number, more = {}) => ({
    batch: batch(),
    batchIdx: globalStep,
    globalStep,
    log: true,
    step: true,
    accumulate: 1,
    ...more,
  });

  test('a hand-written loop and trainBatch do the same', async () => {
    const [one, other] = [await tinyLatentDiffusion(), await tinyLatentDiffusion()];
    await one.train();
    await one.configureOptimizers({ learningRate: 1e-2 });
    const { log } = await one.trainBatch(args(0), { random: new Generator(9) });

    await other.train();
    const parameters = [...(await other.namedParameters()).values()].filter((p) => p.requiresGrad);
    const optimizer = await AdamW.create(parameters, { lr: 1e-2 });
    const { loss } = await other.sharedStep(batch(), { random: new Generator(9) });
    await loss.backward();
    await optimizer.step();
    expect(log['train/loss']).toBeCloseTo(Number(await loss.item()), 6);
    const weight = async (model: DDPM) => numbers((await model.stateDict()).get('model.diffusion_model.out.2.weight')!);
    const expected = await weight(other);
    for (const [i, value] of (await weight(one)).entries()) expect(value).toBeCloseTo(expected[i], 5);
    expect(Object.keys(log)).toEqual(['train/loss_simple', 'train/loss_vlb', 'train/loss', 'global_step']);
    await Promise.all([one.close(), other.close()]);
  });

  test('the loss falls', async () => {
    const model = await tinyLatentDiffusion({ use_ema: false });
    await model.train();
    await model.configureOptimizers({ learningRate: 3e-3 });
    const losses: number[] = [];
    for (let i = 0; i < 30; i++)
      losses.push((await model.trainBatch(args(i), { random: new Generator(i % 3) })).log['train/loss']);
    const mean = (list: number[]) => list.reduce((a, b) => a + b) / list.length;
    expect(mean(losses.slice(-6))).toBeLessThan(0.8 * mean(losses.slice(0, 6)));
    await model.close();
  });

  test('two accumulated micro-batches are one optimizer step on their mean gradient', async () => {
    const [halves, whole] = [
      await tinyLatentDiffusion({ use_ema: false }),
      await tinyLatentDiffusion({ use_ema: false }),
    ];
    for (const model of [halves, whole]) {
      await model.train();
      await model.configureOptimizers({ learningRate: 1e-2 });
    }
    // The same batch and draws twice: the mean gradient is that of the batch.
    await halves.trainBatch(args(0, { step: false, accumulate: 2 }), { random: new Generator(4) });
    await halves.trainBatch(args(0, { step: true, accumulate: 2 }), { random: new Generator(4) });
    await whole.trainBatch(args(0), { random: new Generator(4) });
    const moment = async (model: LatentDiffusion) => {
      const [{ state }] = await model.optimizerStates();
      const { step, exp_avg } = state['0'] as Record<string, Tensor>;
      return { step: await step.item(), moment: await numbers(exp_avg) };
    };
    const [a, b] = [await moment(halves), await moment(whole)];
    expect(a.step).toBe(1);
    for (const [i, value] of a.moment.entries()) expect(value).toBeCloseTo(b.moment[i], 7);
    await Promise.all([halves.close(), whole.close()]);
  });

  test('the moving average follows every micro-batch, also those without a step', async () => {
    const model = await tinyLatentDiffusion();
    await model.train();
    await model.configureOptimizers({ learningRate: 1e-2 });
    await model.trainBatch(args(0, { step: false, accumulate: 2 }));
    await model.trainBatch(args(0, { step: true, accumulate: 2 }));
    expect(await (await model.stateDict()).get('model_ema.num_updates')!.item()).toBe(2);
    await model.close();
  });

  test('emaScope swaps the averaged weights in and out, also when its body fails', async () => {
    const model = await tinyLatentDiffusion();
    const weight = async () => numbers((await model.stateDict()).get('model.diffusion_model.out.2.weight')!);
    const trained = await weight();
    // The average began at the fresh U-Net, whose last layer is zero.
    const within = await model.emaScope(() => model.emaScope(weight));
    expect(within.every((x) => x === 0)).toBe(true);
    await expect(model.emaScope(() => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
    expect(await weight()).toEqual(trained);
    await model.configureOptimizers({ learningRate: 1e-3 });
    await expect(model.emaScope(() => model.trainBatch(args(0)))).rejects.toThrow(/EMA scope/);
    await model.close();
  });

  test('validation reports both sets of weights and draws no gradient', async () => {
    const model = await tinyLatentDiffusion();
    const { log } = await model.validateBatch({ batch: batch(), batchIdx: 0, globalStep: 0 });
    const names = ['val/loss_simple', 'val/loss_vlb', 'val/loss'];
    expect(Object.keys(log)).toEqual([...names, ...names.map((name) => `${name}_ema`)]);
    expect(log['val/loss']).not.toBe(log['val/loss_ema']);
    await model.close();
  });

  test('the learning rate is logged where a schedule is configured', async () => {
    const scheduler_config = {
      target: 'ldm.lr_scheduler.LambdaLinearScheduler',
      params: { warm_up_steps: [4], cycle_lengths: [10], f_start: [0.1], f_max: [1], f_min: [1] },
    };
    const model = await tinyLatentDiffusion({ scheduler_config });
    await model.configureOptimizers({ learningRate: 1 });
    await model.setLearningRates([0.25]);
    expect((await model.trainBatch(args(0))).log.lr_abs).toBe(0.25);
    await expect(model.setLearningRates([1, 2])).rejects.toThrow(/one optimizer/);
    await model.close();
  });

  test('training needs optimizers', async () => {
    const model = await tinyLatentDiffusion({ use_ema: false });
    await expect(model.trainBatch(args(0))).rejects.toThrow(/configureOptimizers/);
    await model.close();
  });
});

describe('LatentDiffusion', () => {
  test('frozen stages stay frozen and in evaluation mode', async () => {
    const model = await tinyLatentDiffusion({ cond_stage_trainable: false });
    await model.train();
    const names = [...(await model.namedParameters())].filter(([, p]) => p.requiresGrad).map(([name]) => name);
    expect(names.some((name) => name.startsWith('cond_stage_model'))).toBe(false);
    expect(names.some((name) => name.startsWith('model.diffusion_model'))).toBe(true);
    await model.close();
  });

  test('scale_by_std measures the first batch only, and not after a checkpoint', async () => {
    const params = { scale_by_std: true, use_ema: false };
    const model = await tinyLatentDiffusion(params);
    const scale = async () => Number(await (await model.stateDict()).get('scale_factor')!.item());
    await model.onTrainBatchStart({ image: image(2).mul(4) }, 0, 0);
    expect(await scale()).toBeCloseTo(1 / Number(await image(2).mul(4).std().item()), 5);
    const measured = await scale();
    await model.onTrainBatchStart({ image: image(2) }, 1, 0);
    await model.onTrainBatchStart({ image: image(2) }, 0, 5);
    expect(await scale()).toBe(measured);
    const latents = await model.encodeFirstStage(Tensor.ones([1, 3, 8, 8]));
    expect(await latents.mean().item()).toBeCloseTo(measured, 6);
    expect(await (await model.decodeFirstStage(latents)).mean().item()).toBeCloseTo(1, 6);
    await model.close();
  });

  test('an unconditional model needs no conditioning, a conditional one says so', async () => {
    const free = await tinyLatentDiffusion({
      unet_config: tinyUnet(),
      cond_stage_config: '__is_unconditional__',
      cond_stage_trainable: false,
      cond_stage_key: 'image',
    });
    const x = Tensor.zeros([1, 3, 8, 8]);
    expect((await free.applyModel(x, timesteps(0))).shape).toEqual([1, 3, 8, 8]);
    await expect(free.getLearnedConditioning(timesteps(0))).rejects.toThrow(/unconditional/);
    const bound = await tinyLatentDiffusion();
    await expect(bound.applyModel(x, timesteps(0))).rejects.toThrow(/needs a conditioning/);
    await expect(bound.applyModel(x, timesteps(0), { wrong: [x] } as never)).rejects.toThrow(/'wrong'/);
    await Promise.all([free.close(), bound.close()]);
  });

  test('the first stage as conditioning stage appears twice in the state dict', async () => {
    const model = await LatentDiffusion.create({
      unet_config: tinyUnet({ in_channels: 6 }),
      first_stage_config: {
        target: 'ldm.models.autoencoder.VQModelInterface',
        params: {
          embed_dim: 3,
          n_embed: 8,
          ddconfig: {
            double_z: false,
            z_channels: 3,
            resolution: 16,
            in_channels: 3,
            out_ch: 3,
            ch: 32,
            ch_mult: [1, 1],
            num_res_blocks: 1,
            attn_resolutions: [],
            dropout: 0,
          },
          lossconfig: { target: 'torch.nn.Identity' },
        },
      },
      cond_stage_config: '__is_first_stage__',
      cond_stage_key: 'masked_image',
      timesteps: 6,
      image_size: 8,
      channels: 3,
      use_ema: false,
    });
    const names = [...(await model.stateDict()).keys()];
    const first = names.filter((name) => name.startsWith('first_stage_model.'));
    expect(names.filter((name) => name.startsWith('cond_stage_model.'))).toEqual(
      first.map((name) => name.replace('first', 'cond')),
    );
    const batch = { image: Tensor.rand([1, 16, 16, 3]), masked_image: Tensor.rand([1, 16, 16, 3]) };
    expect((await model.getInput(batch)).c).toMatchObject({ shape: [1, 3, 8, 8] });
    await model.close();
  });

  test('pictures of the training: every kind, and the plain weights are back afterwards', async () => {
    const model = await tinyLatentDiffusion();
    const before = await numbers((await model.stateDict()).get('model.diffusion_model.out.2.weight')!);
    const batch = { image: image(2), class_label: timesteps(0, 1) };
    const log = await model.logImages(batch, { N: 2, n_row: 1, ddim_steps: 2, plot_denoise_rows: true });
    expect(Object.keys(log)).toEqual([
      'inputs',
      'reconstruction',
      'diffusion_row',
      'samples',
      'denoise_row',
      'samples_inpainting',
      'mask',
      'samples_outpainting',
      'progressive_row',
    ]);
    expect(await log.mask.mean().item()).toBeCloseTo(0.75, 6);
    expect(await numbers((await model.stateDict()).get('model.diffusion_model.out.2.weight')!)).toEqual(before);
    await model.close();
  });
});
