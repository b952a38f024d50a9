import { z } from 'zod';
import { Config, knownTargets, loadConfig, registerTarget, resolveNode, resolveProject } from '../../lib/config';
import { temporaryFiles } from './files';

const write = temporaryFiles();
const KL = `model:
  base_learning_rate: 4.5e-6
  target: ldm.models.autoencoder.AutoencoderKL
  params:
    embed_dim: 4
    lossconfig:
      target: ldm.modules.losses.LPIPSWithDiscriminator
      params: {disc_start: 50001, kl_weight: 1.0e-6, disc_weight: 0.5}
    ddconfig: {double_z: true, z_channels: 4, resolution: 256, in_channels: 3, out_ch: 3, ch: 128,
      ch_mult: [1, 2, 4, 4], num_res_blocks: 2, attn_resolutions: [], dropout: 0.0}
`;
const kl = (...overrides: string[]) => loadConfig(write('kl.yaml', KL), overrides).values.model;
const problem = (node: unknown): string => {
  try {
    resolveNode(node);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_CONFIG' });
    return (error as Error).message;
  }
  throw new Error('there was no problem');
};
const identity = { target: 'torch.nn.Identity' };
const unet = {
  target: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
  params: {
    ...{ image_size: 8, in_channels: 3, model_channels: 32, out_channels: 3, num_res_blocks: 1 },
    ...{ attention_resolutions: [1], num_heads: 1 },
  },
};
const ldm = (params: object) => ({
  target: 'ldm.models.diffusion.ddpm.LatentDiffusion',
  params: {
    unet_config: unet,
    first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage' },
    cond_stage_config: '__is_unconditional__',
    ...params,
  },
});

describe('defaults', () => {
  test('an autoencoder gets every option of the reference, in nested nodes too', () => {
    expect(resolveNode(kl())).toEqual({
      target: 'ldm.models.autoencoder.AutoencoderKL',
      params: {
        embed_dim: 4,
        ckpt_path: null,
        ignore_keys: [],
        image_key: 'image',
        colorize_nlabels: null,
        monitor: null,
        ddconfig: {
          ...{ ch: 128, out_ch: 3, ch_mult: [1, 2, 4, 4], num_res_blocks: 2, attn_resolutions: [], dropout: 0 },
          ...{ resamp_with_conv: true, in_channels: 3, resolution: 256, z_channels: 4, use_linear_attn: false },
          ...{ attn_type: 'vanilla', double_z: true, give_pre_end: false, tanh_out: false },
        },
        lossconfig: {
          target: 'ldm.modules.losses.LPIPSWithDiscriminator',
          params: {
            ...{ disc_start: 50001, logvar_init: 0, kl_weight: 1e-6, pixelloss_weight: 1, disc_num_layers: 3 },
            ...{ disc_in_channels: 3, disc_factor: 1, disc_weight: 0.5, perceptual_weight: 1, use_actnorm: false },
            ...{ disc_conditional: false, disc_loss: 'hinge' },
          },
        },
      },
    });
  });

  test('a latent diffusion model: words stay words, null stays null', () => {
    const { params } = resolveNode(ldm({ scheduler_config: null, conditioning_key: null }));
    expect(params).toMatchObject({
      timesteps: 1000,
      linear_start: 1e-4,
      linear_end: 2e-2,
      num_timesteps_cond: 1,
      conditioning_key: null,
      scheduler_config: null,
      cond_stage_config: '__is_unconditional__',
      first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: { vq_interface: false } },
      unet_config: { params: { num_head_channels: -1, num_classes: null, context_dim: null, legacy: true } },
    });
  });

  test('what the reference swallows is accepted and left out', () => {
    const first = { target: 'ldm.models.autoencoder.IdentityFirstStage', params: { embed_dim: 4, ddconfig: {} } };
    expect(resolveNode(first).params).toEqual({ vq_interface: false });
    expect(resolveNode({ ...identity, params: { disc_start: 1 } }).params).toEqual({});
    const bert = {
      target: 'ldm.modules.encoders.modules.BERTEmbedder',
      params: { n_embed: 8, n_layer: 1, device: 'cpu' },
    };
    expect(resolveNode(bert).params).toEqual({
      ...{ n_embed: 8, n_layer: 1, vocab_size: 30522, max_seq_len: 77, use_tokenizer: true, embedding_dropout: 0 },
    });
  });

  test('a class with two names is resolved to one', () => {
    const loss = { target: 'ldm.modules.losses.contperceptual.LPIPSWithDiscriminator', params: { disc_start: 0 } };
    expect(resolveNode(loss).target).toBe('ldm.modules.losses.LPIPSWithDiscriminator');
  });

  test('nothing is shared between two resolved nodes', () => {
    const first = resolveNode(kl()).params.ignore_keys as string[];
    first.push('changed');
    expect(resolveNode(kl()).params.ignore_keys).toEqual([]);
  });
});

describe('mistakes', () => {
  test.each([
    ['model.params.ddconfig.chmult=[1]', 'model.params.ddconfig.chmult: unknown key. Did you mean "ch_mult"?'],
    ['model.params.lossconfig.params.disc_strat=1', 'disc_strat: unknown key. Did you mean "disc_start"?'],
    ['model.parms.x=1', 'model.parms: unknown key. Did you mean "params"?'],
    ['model.target=ldm.models.autoencoder.AutoencodrKL', 'Did you mean "ldm.models.autoencoder.AutoencoderKL"?'],
    ['model.target=ldm.models.AutoencoderKL', 'Did you mean "ldm.models.autoencoder.AutoencoderKL"?'],
    ['model.params.embed_dim=0', 'model.params.embed_dim: expected an integer of at least 1, received 0'],
    ['model.params.embed_dim=1.5', 'expected an integer of at least 1, received 1.5'],
    ['model.params.embed_dim=abc', 'expected an integer of at least 1, received "abc"'],
    ['model.params.embed_dim=null', 'expected an integer of at least 1, received null'],
    ['model.params.ddconfig.ch_mult=2', 'model.params.ddconfig.ch_mult: expected a list, received 2'],
    ['model.params.ddconfig.ch_mult=[1, a]', 'ch_mult[1]: expected an integer of at least 1, received "a"'],
    ['model.params.ddconfig.dropout=1', 'dropout: expected a number of less than 1, received 1'],
    [
      'model.params.ddconfig.attn_type=lineer',
      'expected one of "vanilla", "vanilla-xformers", "linear", "none", received "lineer". Did you mean "linear"?',
    ],
    ['model.params.ddconfig.ch=100', 'multiple of 32'],
    ['model.params.ddconfig.double_z=false', 'has to be true for AutoencoderKL'],
    ['model.params.ddconfig.tanh_out=1', 'expected true or false, received 1'],
    ['model.params.lossconfig.target=ldm.lr_scheduler.LambdaLinearScheduler', 'is a scheduler; expected a loss'],
    ['model.params=3', 'model.params: expected a mapping, received 3'],
    ['model.params.lossconfig=abc', 'expected a mapping with "target" and "params", received "abc"'],
    ['model.params.embed_dim=???', 'embed_dim: this value (???) has to be given'],
  ])('%s', (override, message) => {
    const text = problem(kl(override));
    expect(text).toContain(message);
    expect(text).toMatch(/^override "/);
  });

  test('a value from a file is named by file, line and column', () => {
    const file = write('typo.yaml', KL.replace('embed_dim: 4', 'embed_dims: 4'));
    const text = problem(loadConfig(file).values.model);
    expect(text.split('\n')).toEqual([
      '2 problems in the config:',
      `  ${file}:4:3: model.params.embed_dim: missing; expected an integer of at least 1`,
      `  ${file}:5:5: model.params.embed_dims: unknown key. Did you mean "embed_dim"?`,
    ]);
  });

  test('plain objects without a file are named by key path', () => {
    expect(problem({ target: 'ldm.modules.encoders.modules.ClassEmbedder', params: { embed_dim: 'x' } })).toBe(
      'params.embed_dim: expected an integer of at least 1, received "x"',
    );
    expect(problem(undefined)).toMatch(/^missing; expected a mapping/);
    expect(problem({})).toBe('target: missing; expected the name of a class');
  });

  test('options that exclude each other', () => {
    const withUnet = (params: object) => ({ ...unet, params: { ...unet.params, ...params } });
    expect(problem(withUnet({ num_heads: -1 }))).toMatch(/num_heads: either num_heads or num_head_channels/);
    expect(problem(withUnet({ use_spatial_transformer: true }))).toMatch(/belong together/);
    expect(problem(withUnet({ context_dim: 8 }))).toMatch(/belong together/);
    expect(problem(withUnet({ model_channels: 48 }))).toMatch(/multiple of 32/);
    expect(problem(ldm({ timesteps: 10, num_timesteps_cond: 11 }))).toMatch(/has to be at most timesteps/);
    expect(problem(ldm({ cond_stage_config: '__is_unconditonal__' }))).toMatch(/or one of "__is_unconditional__"/);
    const layout = { ...ldm({ cond_stage_key: 'image' }), target: 'ldm.models.diffusion.ddpm.Layout2ImgDiffusion' };
    expect(problem(layout)).toMatch(/cond_stage_key: expected "coordinates_bbox", received "image"/);
    const cycles = { warm_up_steps: [1, 2], f_min: [0], f_max: [1], f_start: [0], cycle_lengths: [5] };
    expect(problem({ target: 'ldm.lr_scheduler.LambdaLinearScheduler', params: cycles })).toMatch(
      /lists of the same length/,
    );
  });

  test('keys of the objects’ prototype are unknown keys like others', () => {
    expect(
      problem({ target: 'ldm.modules.encoders.modules.ClassEmbedder', params: { embed_dim: 1, constructor: 1 } }),
    ).toMatch(/params\.constructor: unknown key/);
    expect(problem({ target: 'constructor' })).toMatch(/unknown target "constructor"/);
  });
});

describe('projects', () => {
  const project = (...overrides: string[]) => loadConfig(write('project.yaml', KL), overrides);

  test('main.py’s defaults lie below the config’s own values', () => {
    const { model, baseLearningRate, data, lightning } = resolveProject(
      project(
        'model.params.monitor=val/rec_loss',
        'lightning.callbacks.image_logger.params.max_images=8',
        'lightning.trainer.max_steps=5',
      ),
    );
    expect(model.params.monitor).toBe('val/rec_loss');
    expect(baseLearningRate).toBe(4.5e-6);
    expect(data).toBeNull();
    expect(lightning.trainer).toEqual({ max_steps: 5 });
    expect(lightning.modelcheckpoint.params).toMatchObject({
      filename: '{epoch:06}',
      save_last: true,
      monitor: 'val/rec_loss',
      save_top_k: 3,
    });
    expect(lightning.callbacks.get('image_logger')?.params).toMatchObject({
      batch_frequency: 750,
      max_images: 8,
      clamp: true,
    });
    expect([...lightning.callbacks.keys()]).toEqual(['image_logger', 'learning_rate_logger', 'cuda_callback']);
  });

  test('without a monitor all are kept as Lightning does', () => {
    expect(resolveProject(project()).lightning.modelcheckpoint.params).toMatchObject({
      monitor: null,
      save_top_k: null,
    });
  });

  test('all mistakes are told at once', () => {
    const wrong = project(
      'modle.x=1',
      'model.base_learning_rate=fast',
      'lightning.trainer.max_step=1',
      'data.target=main.DataModule',
    );
    expect(() => resolveProject(wrong)).toThrow(/^4 problems in the config:/);
    expect(() => resolveProject(wrong)).toThrow(/modle: unknown section\. Did you mean "model"\?/);
    expect(() => resolveProject(wrong)).toThrow(/max_step: unknown key\. Did you mean "max_steps"\?/);
    expect(() => resolveProject(wrong)).toThrow(/base_learning_rate: expected a number of at least 0, received "fast"/);
    expect(() => resolveProject(wrong)).toThrow(/data\.target: unknown target "main\.DataModule"/);
  });

  test('a data section that is replaced is not looked at', () => {
    expect(resolveProject(project('data.target=nonsense'), { replaceData: true }).data).toBeNull();
    expect(() => resolveProject(project('data.target=nonsense'))).toThrow(/unknown target "nonsense"/);
  });

  test('the checkpoints of main.py’s metrics_over_trainsteps_checkpoint', () => {
    const callbacks = resolveProject(
      project('lightning.callbacks.metrics_over_trainsteps_checkpoint.params.every_n_train_steps=500'),
    ).lightning.callbacks;
    expect(callbacks.get('metrics_over_trainsteps_checkpoint')?.params).toMatchObject({
      ...{ every_n_train_steps: 500, save_top_k: -1, save_weights_only: true },
    });
  });
});

describe('targets of one’s own', () => {
  test('are registered with a schema', () => {
    registerTarget('my.own.Target', z.strictObject({ size: z.int().default(3) }), { family: 'loss', ignored: ['old'] });
    expect(resolveNode({ target: 'my.own.Target', params: { old: 1 } }, 'loss').params).toEqual({ size: 3 });
    expect(problem({ target: 'my.own.Target', params: { sise: 1 } })).toMatch(
      /sise: unknown key\. Did you mean "size"\?/,
    );
    expect(knownTargets().map((entry) => entry.target)).toContain('my.own.Target');
  });
});

test('a config of plain values has positions too', () => {
  const config = Config.from({ model: { target: 'torch.nn.Idenity' } }, 'my settings');
  expect(problem(config.values.model)).toMatch(/^my settings:1:1: model\.target: unknown target "torch\.nn\.Idenity"/);
});

test('options of several types say all of them', () => {
  expect(problem(ldm({ image_size: [1, 2, 3] }))).toBe(
    'params.image_size: expected a side or a list of height and width, received the list [1,2,3]',
  );
  expect(resolveNode(ldm({ image_size: [16, 32] })).params.image_size).toEqual([16, 32]);
});
