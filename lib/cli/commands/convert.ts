/** `ldm convert`: between checkpoints, safetensors and diffusers folders. */
import { type Command, Option } from 'commander';
import { type ConvertReport, convertModel, type TargetFormat } from '../../convert';
import type { DType } from '../../tensor';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { formatBytes } from '../format';
import { interruptible } from '../interrupt';
import type { Output } from '../output';
import { Progress } from '../progress';
import type { Painter } from '../style';

interface Flags {
  config?: string;
  to?: TargetFormat;
  ema?: boolean;
  prune?: boolean;
  half?: boolean;
  bf16?: boolean;
  float?: boolean;
  variant?: string;
  force?: boolean;
  dryRun?: boolean;
}

export const convert: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm convert last.ckpt model.safetensors --prune', 'weights only, as safetensors'],
      ['ldm convert model.ckpt diffusers/ --config v1-inference.yaml', 'a folder that diffusers reads'],
    ]);
    command
      .argument('<source>', 'checkpoint (.ckpt, .pt, .pth, .safetensors), log folder, or diffusers folder')
      .argument('<target>', 'file (.ckpt, .pt, .safetensors), or a folder for diffusers')
      .option('--config <file>', 'official config of the checkpoint (default: the one beside it)')
      .addOption(
        new Option('--to <format>', 'format, where the name of the target does not tell').choices([
          'ckpt',
          'safetensors',
          'diffusers',
        ]),
      )
      .option('--ema', 'the averaged weights take the place of those of the last step')
      .option('--no-ema', 'the weights of the last step, without averages (default: both are kept)')
      .option('--prune', 'leave out what only training needs; of averaged and last weights the averaged ones stay')
      .option('--half', 'weights in float16; the noise schedule stays as it is')
      .option('--bf16', 'weights in bfloat16')
      .option('--float', 'weights in float32')
      .option('--variant <name>', 'weights of a diffusers folder, such as fp16')
      .option('--force', 'replace a target that is there already')
      .option('--dry-run', 'check and report, write nothing')
      .action(async (source: string, target: string, flags: Flags) => {
        const output = outputOf(command);
        const { to, variant, ...rest } = flags;
        const options = { ...rest, format: to, dtype: dtypeOf(flags), variant };
        const report = await withProgress(output, (onProgress) =>
          interruptible((signal) => convertModel(source, target, { ...options, signal, onProgress })),
        );
        for (const { name, values } of report.overflowed)
          output.warn(`${values} values of ${name} are too large for the new dtype and became infinite`);
        output.result(report, () => describe(report, output.paint));
      });
  },
};

function dtypeOf({ half, bf16, float }: Flags): DType | undefined {
  const chosen = [half && 'float16', bf16 && 'bfloat16', float && 'float32'].filter((d) => d) as DType[];
  if (chosen.length > 1) throw new UsageError('--half, --bf16 and --float exclude each other');
  return chosen[0];
}

async function withProgress<T>(
  output: Output,
  work: (onProgress?: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  if (!output.stderr.isTTY) return work();
  const progress = new Progress(output, { label: 'writing', unit: 'tensors' });
  let begun = false;
  try {
    return await work((done, total) => {
      begun = true;
      progress.update(done, {}, total);
    });
  } finally {
    if (begun) progress.end();
  }
}

const WEIGHTS = {
  averaged: 'averaged (EMA)',
  raw: 'of the last step',
  both: 'averaged (EMA) and of the last step',
  none: '',
};

function describe(report: ConvertReport, paint: Painter): string {
  const row = (name: string, value: string) => `${paint('bold', name.padEnd(10))}${value}`;
  const count = (tensors: number) => (tensors > 0 ? ` (${tensors} tensors)` : '');
  const lines = [row(report.written ? 'written' : 'rehearsed', report.target)];
  for (const { path, tensors, bytes } of report.files)
    lines.push(row('', `${path}  ${formatBytes(bytes)}${count(tensors)}`));
  if (report.ema !== 'none') lines.push(row('weights', WEIGHTS[report.ema]));
  for (const { what, tensors } of report.kept)
    lines.push(row('kept', `${what}${count(tensors)} in ldm/, which diffusers ignores`));
  for (const { what, tensors, why } of report.dropped) lines.push(row('left out', `${what}${count(tensors)}: ${why}`));
  for (const note of report.notes) lines.push(row('note', note));
  return lines.join('\n');
}
