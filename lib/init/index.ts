/** Configs for a folder of images of one's own. */
import fs from 'node:fs';
import path from 'node:path';
import { configJsonSchema } from '../config';
import { LdmError } from '../errors';
import { vgg16File } from '../lpips-files';
import { native } from '../native';
import { writeFileAtomic } from '../pictures/picture';
import { autoencoderText, diffusionText } from './config-text';
import { type Machine, type Proposal, propose } from './propose';
import { type Survey, surveyFolder } from './survey';

export { type Machine, PROPOSED_SIZES, type Proposal } from './propose';
export { type Survey, surveyFolder } from './survey';

export interface InitOptions {
  /** Folder for the configs. Default 'configs'. */
  out?: string;
  /** First part of their names. Default: the images' folder. */
  name?: string;
  /** What to propose for. Default: a GPU where libtorch sees one, else the CPU. */
  machine?: Machine;
  /** Side of the images, one of PROPOSED_SIZES. Default: what images and machine allow. */
  size?: number;
  /** Images at a time, for both stages. Default: by size and machine. */
  batch?: number;
  /** Parent of the log folders, where the second config looks for the first stage. Default 'logs'. */
  logdir?: string;
  /** Replace configs that are there. Default false. */
  force?: boolean;
  signal?: AbortSignal;
}

export interface InitResult {
  survey: Survey;
  proposal: Proposal;
  autoencoder: string;
  diffusion: string;
  schema: string;
}

/**
 * Looks at a folder of images and writes configs of a KL-VAE and of a latent diffusion model on it, with the JSON schema
 * beside them.
 * @throws LdmError ERR_FILE when there is no such folder or a config is there already, ERR_DATA when it holds no image
 */
export async function initConfigs(folder: string, options: InitOptions = {}): Promise<InitResult> {
  const { out = 'configs', logdir = 'logs', force = false } = options;
  const survey = await surveyFolder(folder, options.signal);
  const machine = options.machine ?? (native().info().cuda ? 'gpu' : 'cpu');
  const perceptual = fs.existsSync(vgg16File().path);
  const proposal = propose(survey, { machine, size: options.size, batch: options.batch, perceptual });
  const name = slug(options.name ?? path.basename(path.resolve(folder)));
  const files = {
    autoencoder: path.join(out, `${name}-autoencoder.yaml`),
    diffusion: path.join(out, `${name}-ldm.yaml`),
  };
  const existing = Object.values(files).find((file) => fs.existsSync(file));
  if (existing !== undefined && !force)
    throw new LdmError(
      'ERR_FILE',
      `${existing} is there already. Choose another --name or --out, or replace it with --force.`,
    );
  const schema = path.join(out, 'ldm.schema.json');
  const checkpoint = `${path.join(logdir, `*_${name}-autoencoder`, 'checkpoints', 'last.ckpt')}`;
  const text = { survey, proposal, files, checkpoint, schema: './ldm.schema.json' };
  writeFileAtomic(files.autoencoder, autoencoderText(text));
  writeFileAtomic(files.diffusion, diffusionText(text));
  writeFileAtomic(schema, `${JSON.stringify(configJsonSchema())}\n`);
  return { survey, proposal, ...files, schema };
}

/** Letters, digits and hyphens: what needs no quotes in a shell. */
function slug(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|-+$/g, '') || 'images';
}
