/** `ldm inspect`: what a config, a checkpoint or a safetensors file holds. */
import type { Command } from 'commander';
import {
  type CheckpointSummary,
  type ConfigSummary,
  inspectCheckpoint,
  inspectConfig,
  type ParameterCounts,
  type TensorSummary,
} from '../../inspect';
import { type FolderSummary, inspectFolder, isDiffusersFolder } from '../../inspect/folder';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { formatBytes, formatCount } from '../format';
import { interruptible } from '../interrupt';
import type { Output } from '../output';
import { Progress } from '../progress';
import type { Painter } from '../style';

interface Options {
  stats?: boolean;
  build: boolean;
}

export const inspect: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm inspect models/ldm/cin256/config.yaml', 'classes and parameters of a config'],
      [
        'ldm inspect logs/2026-01-31T12-00-00_kl/checkpoints/last.ckpt --stats',
        'each tensor with sum and first values',
      ],
    ]);
    command
      .argument(
        '<file>',
        'a config (.yaml), a checkpoint (.ckpt, .pt, .pth), a .safetensors file or a diffusers folder',
      )
      .argument(
        '[overrides...]',
        'for a config: values that replace those of the file, such as model.params.embed_dim=4',
      )
      .option('--stats', 'for a checkpoint: name, dtype, shape, sum and first values of each tensor')
      .option('--build', "for a config: count the model's parameters (they take no memory)", true)
      .option('--no-build', 'for a config: only check it')
      .action(async (file: string, overrides: string[], options: Options) => {
        const output = outputOf(command);
        await interruptible(async (signal) => {
          if (/\.ya?ml$/i.test(file)) {
            if (options.stats) throw new UsageError('--stats is for checkpoints; a config has no tensors');
            const summary = await inspectConfig(file, { overrides, count: options.build, signal });
            output.result(summary, () => describeConfig(summary, output.paint));
            return;
          }
          if (overrides.length > 0) throw new UsageError(`"${overrides[0]}" is an override, but ${file} is no config`);
          if (isDiffusersFolder(file)) {
            const summary = await inspectFolder(file);
            output.result(summary, () => describeFolder(summary, output.paint));
            return;
          }
          if (!options.build) throw new UsageError('--no-build is for configs; a checkpoint has its tensors already');
          const summary = await withProgress(output, options.stats ?? false, (onProgress) =>
            inspectCheckpoint(file, { stats: options.stats, signal, onProgress }),
          );
          output.result(summary, () => describeCheckpoint(summary, options.stats ?? false, output.paint));
        });
      });
  },
};

/** Summing up a large file takes a while: it shows how far it is. */
async function withProgress<T>(
  output: Output,
  shown: boolean,
  work: (onProgress?: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  if (!shown || !output.stderr.isTTY) return work();
  const progress = new Progress(output, { label: 'reading', unit: 'tensors' });
  try {
    return await work((done, total) => progress.update(done, {}, total));
  } finally {
    progress.end();
  }
}

const row = (paint: Painter, name: string, value: string) => `${paint('bold', name.padEnd(20))}${value}`;

function describeConfig(summary: ConfigSummary, paint: Painter): string {
  const lines = [row(paint, 'config', summary.file)];
  if (summary.baseLearningRate !== null) lines.push(row(paint, 'learning rate', formatRate(summary.baseLearningRate)));
  for (const [path, target] of Object.entries(summary.targets)) lines.push(row(paint, lastKey(path), target));
  if (summary.data) lines.push(row(paint, 'data', summary.data.target));
  if (summary.parameters) lines.push(...describeParameters(summary.parameters, paint));
  lines.push(paint('dim', 'The config is valid. --json prints every option with its default filled in.'));
  return lines.join('\n');
}

/** What the parts of the models are, for people. */
const PARTS: Record<string, string> = {
  model: 'network',
  model_ema: 'EMA copy',
  first_stage_model: 'first stage',
  cond_stage_model: 'cond stage',
  diffusion_model: 'diffusion model',
};

function describeParameters({ total, trainable, parts }: ParameterCounts, paint: Painter): string[] {
  const named = Object.entries(parts).map(([part, count]): [string, number] => [PARTS[part] ?? part, count]);
  const width = Math.max(14, ...named.map(([name]) => name.length + 4));
  const line = (name: string, count: number) => row(paint, name.padEnd(width), formatCount(count));
  return [
    line('parameters', total),
    line('  trainable', trainable),
    ...named.map(([name, count]) => line(`  ${name}`, count)),
  ];
}

function lastKey(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).replace(/_config$/, '');
}

function describeFolder(summary: FolderSummary, paint: Painter): string {
  const lines = [row(paint, 'folder', summary.file), row(paint, 'pipeline', summary.pipeline ?? 'none')];
  for (const { folder, className, variants, tensors, elements } of summary.parts) {
    const others = variants.filter((variant) => variant !== '');
    const weights = tensors > 0 ? `, ${formatCount(elements)} in ${tensors} tensors` : '';
    const also = others.length > 0 ? `, variants: ${others.join(', ')}` : '';
    lines.push(row(paint, folder === '' ? 'model' : folder, `${className}${weights}${also}`));
  }
  return lines.join('\n');
}

function describeCheckpoint(summary: CheckpointSummary, stats: boolean, paint: Painter): string {
  const tensors = Object.entries(summary.tensors);
  const lightning = summary.lightningVersion ? `, Lightning ${summary.lightningVersion}` : '';
  const dtypes = Object.entries(summary.dtypes).map(([dtype, count]) => `${dtype} ${count}`);
  const lines = [
    row(paint, 'file', summary.file),
    row(paint, 'format', `${summary.format}${lightning}, ${formatBytes(summary.bytes)}`),
    row(paint, 'tensors', `${tensors.length} ${summary.where === '' ? 'at the top level' : `in ${summary.where}`}`),
    row(paint, 'values', `${formatCount(summary.elements)}, ${formatBytes(summary.tensorBytes)}`),
    row(paint, 'dtypes', dtypes.join(', ')),
    row(paint, 'EMA', summary.ema ? 'yes' : 'no'),
  ];
  if (summary.epoch !== null) lines.push(row(paint, 'epoch', String(summary.epoch)));
  if (summary.globalStep !== null) lines.push(row(paint, 'global step', String(summary.globalStep)));
  if (summary.optimizers > 0) lines.push(row(paint, 'optimizers', String(summary.optimizers)));
  if (summary.lrSchedulers > 0) lines.push(row(paint, 'lr schedulers', String(summary.lrSchedulers)));
  if (summary.otherKeys.length > 0) lines.push(row(paint, 'also holds', summary.otherKeys.join(', ')));
  if (summary.skippedClasses.length > 0) lines.push(row(paint, 'skipped', summary.skippedClasses.join(', ')));
  if (summary.latents) {
    const { std, images, scale_factor } = summary.latents;
    lines.push(
      row(
        paint,
        'latents',
        `std ${std.toPrecision(5)} over ${images} images: scale_factor ${scale_factor.toPrecision(5)}`,
      ),
    );
  }
  for (const [key, value] of Object.entries(summary.metadata)) lines.push(row(paint, 'metadata', `${key}: ${value}`));
  lines.push('');
  if (stats) lines.push(...tensors.map(([name, tensor]) => `${name}  ${describeTensor(tensor)}`));
  else lines.push(...groups(tensors, paint), paint('dim', 'See each tensor with --stats.'));
  return lines.join('\n');
}

function describeTensor({ dtype, shape, sum, first }: TensorSummary): string {
  const values = first ? `  sum ${sum}  first ${first.slice(0, 3).join(', ')}` : '';
  return `${dtype} [${shape.join(', ')}]${values}`;
}

/** Values by the first part of the tensors' names, in the file's order. */
function groups(tensors: [string, TensorSummary][], paint: Painter): string[] {
  const sums = new Map<string, { tensors: number; values: number }>();
  for (const [name, { shape }] of tensors) {
    const part = name.split('.')[0]!;
    const group = sums.get(part) ?? { tensors: 0, values: 0 };
    group.tensors += 1;
    group.values += shape.reduce((product, size) => product * size, 1);
    sums.set(part, group);
  }
  return [...sums].map(([part, group]) => row(paint, part, `${formatCount(group.values)} in ${group.tensors} tensors`));
}

/** 4.5e-6 rather than 0.0000045. */
function formatRate(rate: number): string {
  return rate !== 0 && rate < 1e-3 ? rate.toExponential() : String(rate);
}
