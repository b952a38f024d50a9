/** The configs of a proposal as commented YAML. */
import type { Proposal } from './propose';
import type { Survey } from './survey';

export interface ConfigTextOptions {
  survey: Survey;
  proposal: Proposal;
  /** Path of the JSON schema as the config names it. */
  schema: string;
  /** Files of both configs, for the commands in the comments. */
  files: { autoencoder: string; diffusion: string };
  /** Pattern of the autoencoder's checkpoint. */
  checkpoint: string;
}

const list = (values: readonly number[]) => `[${values.join(', ')}]`;
const quoted = (text: string) => JSON.stringify(text);
/** A rate as YAML 1.1 reads a number, too: 4.5e-06 needs its point. */
const rate = (value: number) => value.toExponential().replace(/^(\d+)e/, '$1.0e');

/** The chains that main.py draws besides take 1000 steps. */
const ONLY_SAMPLES = `        log_images_kwargs:
          plot_progressive_rows: false
          plot_diffusion_rows: false
`;

/** `data`, without the condition's dropping. */
function dataSection(survey: Survey, size: number, batch: number, extra: readonly string[]): string {
  const set = (root: string, more: readonly string[]) =>
    [
      'target: node_ldm.data.ImageFolder',
      'params:',
      `  root: ${quoted(root)}`,
      `  size: ${size} # the shorter side is brought to this, and a square is cut out`,
      ...more.map((line) => `  ${line}`),
    ]
      .map((line) => `      ${line}`)
      .join('\n');
  const train = set(survey.root, [
    'random_crop: true # another square each time; false: the middle',
    'flip_p: 0.5 # mirrored half of the time; 0 for text, faces in profile and the like',
    'cache_mb: 1024 # decoded images are kept in memory up to this many MB',
    ...extra,
  ]);
  const validation = survey.validation
    ? `\n    validation:\n${set(survey.validation, ['flip_p: 0.0'])}`
    : '\n    # validation: # a folder of images that are not trained on tells whether the model only learns by heart';
  return `data:
  target: main.DataModuleFromConfig
  params:
    batch_size: ${batch} # images at a time; halve it when memory runs out
    train:
${train}${validation}
`;
}

function lightningSection(
  stage: 'first' | 'second',
  { steps, batch }: { steps: number; batch: number },
  images: number,
  machine: Proposal['machine'],
): string {
  const perEpoch = Math.ceil(images / batch);
  const frequency = machine === 'cpu' ? 500 : 2000;
  const checkpoints =
    perEpoch < 1000
      ? `  modelcheckpoint:
    params:
      save_top_k: 0 # an epoch has ${perEpoch} steps only: last.ckpt is written every ${frequency} steps and at the end
      every_n_train_steps: ${frequency}
`
      : '';
  return `lightning:
  trainer:
    max_steps: ${steps} # ctrl-C saves and stops at any time; go on with ldm train -t --resume LOGDIR
${checkpoints}  callbacks:
    image_logger:
      params:
        batch_frequency: ${frequency} # pictures into LOGDIR/images
        increase_log_steps: false # true: also after 1, 2, 4, 8, ... steps
        max_images: 8
${stage === 'second' ? ONLY_SAMPLES : ''}`;
}

function ddconfig({ autoencoder: a, size }: Proposal, indent: number): string {
  return [
    'double_z: true # the encoder gives mean and variance',
    `z_channels: ${a.channels}`,
    `resolution: ${size}`,
    'in_channels: 3',
    'out_ch: 3',
    `ch: ${a.ch} # width; the levels have ch times these channels:`,
    `ch_mult: ${list(a.chMult)} # one level more halves once more`,
    `num_res_blocks: ${a.numResBlocks}`,
    'attn_resolutions: []',
    'dropout: 0.0',
  ]
    .map((line) => ' '.repeat(indent) + line)
    .join('\n');
}

const sizes = ({ images, measured, shorterSide, classes, captions }: Survey) =>
  `# ${images} images; shorter sides from ${shorterSide.smallest}, half of them ${shorterSide.median} or more (${measured} looked at); ` +
  `${captions ? 'with captions' : classes.length > 0 ? `${classes.length} classes` : 'no classes, no captions'}.`;

/** The first stage. */
export function autoencoderText({ survey, proposal, schema, files }: ConfigTextOptions): string {
  const { autoencoder: a, size, factor, machine } = proposal;
  const side = size / factor;
  const perceptual = a.perceptual
    ? 'perceptual_weight: 1.0 # LPIPS with VGG16'
    : 'perceptual_weight: 0.0 # sharper with 1.0, after: ldm download lpips';
  const discriminator =
    a.discStart === null
      ? [
          'disc_start: 0',
          'disc_factor: 0.0 # no discriminator: it needs more time than a CPU has. For one: disc_factor 1.0, disc_start 5000',
          'disc_num_layers: 0',
        ]
      : [
          `disc_start: ${a.discStart} # the discriminator begins when reconstructions are good already`,
          'disc_weight: 0.5',
        ];
  return `# yaml-language-server: $schema=${schema}
# First stage (KL-VAE) for ${survey.root}
${sizes(survey)}
# ${size} x ${size} pixels become latents of ${side} x ${side} x ${a.channels}. Sizes are for a ${machine.toUpperCase()}; written by ldm init.
#
#   ldm train --base ${files.autoencoder} -t
#
# Then look at LOGDIR/images and the reconstructions: ldm evaluate -m LOGDIR ${survey.root}
model:
  base_learning_rate: ${rate(a.baseRate)} # times batch size and accumulated batches: ${rate(Number((a.baseRate * a.batch).toPrecision(2)))}
  target: ldm.models.autoencoder.AutoencoderKL
  params:
    embed_dim: ${a.channels} # channels of the latent
    lossconfig:
      target: ldm.modules.losses.LPIPSWithDiscriminator
      params:
${discriminator.map((line) => `        ${line}`).join('\n')}
        ${perceptual}
        kl_weight: ${rate(a.klWeight)} # more: latents nearer to a normal distribution, reconstructions less exact
    ddconfig:
${ddconfig(proposal, 6)}

${dataSection(survey, size, a.batch, [])}
${lightningSection('first', a, survey.images, machine)}`;
}

/** The second stage. */
export function diffusionText({ survey, proposal, schema, files, checkpoint }: ConfigTextOptions): string {
  const { autoencoder: a, diffusion: d, size, factor, machine } = proposal;
  const side = size / factor;
  const conditioned = d.condition !== 'none';
  const contextDim = machine === 'cpu' ? 64 : 512;
  const condition = {
    none: ['cond_stage_config: __is_unconditional__'],
    class: [
      'cond_stage_config: # an embedding of each class',
      '  target: ldm.modules.encoders.modules.ClassEmbedder',
      '  params:',
      `    n_classes: ${survey.classes.length + 1} # ${survey.classes.length} classes, and one that stands for any`,
      `    embed_dim: ${contextDim}`,
      '    key: class_label',
    ],
    caption: [
      'cond_stage_config: # a transformer that learns with the model; its WordPiece tokenizer is built in',
      '  target: ldm.modules.encoders.modules.BERTEmbedder',
      '  params:',
      `    n_embed: ${contextDim}`,
      `    n_layer: ${machine === 'cpu' ? 2 : 12}`,
    ],
  }[d.condition];
  const keys = { none: 'image', class: 'class_label', caption: 'caption' }[d.condition];
  const sample = {
    none: 'ldm sample LOGDIR -n 16',
    class: `ldm sample LOGDIR --class ${quoted(survey.classes[0] ?? '')} --scale 3`,
    caption: 'ldm txt2img --config LOGDIR --prompt "a text like your captions" --scale 5',
  }[d.condition];
  const dropped = {
    none: [],
    class: ['drop_label_p: 0.1 # one label in ten is left out: guidance (--scale) needs that'],
    caption: ['drop_caption_p: 0.1 # one caption in ten is left out: guidance (--scale) needs that'],
  }[d.condition];
  return `# yaml-language-server: $schema=${schema}
# Second stage (latent diffusion) for ${survey.root}
${sizes(survey)}
# Draws latents of ${side} x ${side} x ${a.channels}. Sizes are for a ${machine.toUpperCase()}; written by ldm init.
#
#   ldm train --base ${files.diffusion} -t        after ${files.autoencoder}
#   ${sample}
model:
  base_learning_rate: ${rate(d.baseRate)} # times batch size and accumulated batches: ${rate(Number((d.baseRate * d.batch).toPrecision(2)))}
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.0015
    linear_end: 0.0195
    timesteps: 1000
    log_every_t: 200
    first_stage_key: image
    cond_stage_key: ${keys}
    image_size: ${side}
    channels: ${a.channels}
    cond_stage_trainable: ${conditioned}
${conditioned ? '    conditioning_key: crossattn\n' : '    concat_mode: false\n'}\
    scale_by_std: true # latents are scaled to standard deviation 1 by the first batch. Or measure: see ldm stats
    monitor: null
    scheduler_config: # a warm-up
      target: ldm.lr_scheduler.LambdaLinearScheduler
      params:
        warm_up_steps: [${machine === 'cpu' ? 200 : 5000}]
        cycle_lengths: [10000000000000]
        f_start: [1.0e-6]
        f_max: [1.0]
        f_min: [1.0]
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        image_size: ${side}
        in_channels: ${a.channels}
        out_channels: ${a.channels}
        model_channels: ${d.modelChannels} # width; the levels have this times:
        channel_mult: ${list(d.channelMult)}
        attention_resolutions: ${list(d.attention)} # attention where latents are so many times smaller
        num_res_blocks: ${d.numResBlocks}
        num_head_channels: ${d.headChannels}
${conditioned ? `        use_spatial_transformer: true # cross-attention to the condition\n        transformer_depth: 1\n        context_dim: ${contextDim}\n` : ''}\
    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
      params:
        # The newest that matches; or the path of one checkpoint.
        ckpt_path: ${quoted(checkpoint)}
        embed_dim: ${a.channels}
        ddconfig:
${ddconfig(proposal, 10)}
        lossconfig:
          target: torch.nn.Identity
${condition.map((line) => `    ${line}`).join('\n')}

${dataSection(survey, size, d.batch, dropped)}
${lightningSection('second', d, survey.images, machine)}`;
}
