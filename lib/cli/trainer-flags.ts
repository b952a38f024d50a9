/**
 * The arguments of Lightning's Trainer as options of `ldm train`: `--max_epochs 10` (or `--max-epochs 10`) is
 * `lightning.trainer.max_epochs=10`, and wins over configs and overrides.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { TRAINER_ARGUMENTS } from '../config/lightning';
import { duration } from './values';

const GROUP = "Options of Lightning's Trainer:";

/** Those that are shown by --help: placeholder and explanation. The others are accepted, too. */
const SHOWN: Record<string, [value: string, text: string]> = {
  max_epochs: ['<n>', 'epochs to train at most (default: 1000, or no limit with --max_steps)'],
  max_steps: ['<n>', 'optimizer steps to train at most, counted over resumed runs'],
  max_time: ['<time>', 'time to train at most, such as 90s, 10m or 2h, or days:hours:minutes:seconds'],
  min_epochs: ['<n>', 'epochs before early stopping may end training'],
  min_steps: ['<n>', 'steps before early stopping may end training'],
  gpus: ['<which>', 'GPU to train on, such as 0, (an index and a comma); without it the CPU'],
  accumulate_grad_batches: ['<n>', 'batches whose gradients make one step'],
  gradient_clip_val: ['<x>', "limit of the gradients' norm, or of each element with --gradient_clip_algorithm value"],
  gradient_clip_algorithm: ['<name>', 'norm or value'],
  precision: ['<type>', '32, bf16 or 16 (also fp32, fp16)'],
  val_check_interval: ['<n>', 'validate after so many batches (10), or parts of an epoch (0.25)'],
  check_val_every_n_epoch: ['<n>', 'validate in every so many epochs'],
  num_sanity_val_steps: ['<n>', 'validation batches that are tried before training (default: 2; -1: all)'],
  limit_train_batches: ['<n>', 'batches of an epoch: a number (10), or a part (0.25)'],
  limit_val_batches: ['<n>', 'validation batches: a number or a part; 0: no validation'],
  limit_test_batches: ['<n>', 'test batches: a number or a part; 0: no test'],
  overfit_batches: ['<n>', 'the same few batches in every epoch, to see whether a model can learn them'],
  fast_dev_run: ['[n]', 'n batches (1) of training, validation and test, and no file is written'],
  log_every_n_steps: ['<n>', 'write metrics of every so many steps (default: 1)'],
  resume_from_checkpoint: ['<file>', 'go on from a checkpoint, in a new log folder'],
  benchmark: ['[bool]', 'measure which convolution is the fastest (GPU)'],
  deterministic: ['[bool]', 'the same numbers in every run (GPU)'],
};

const PRECISIONS: Record<string, string> = { fp32: '32', bf16: 'bf16', fp16: '16', '16': '16', '32': '32', '64': '64' };

/** Adds an option for each argument. */
export function addTrainerFlags(command: Command): void {
  for (const name of TRAINER_ARGUMENTS) {
    const [value, text] = SHOWN[name] ?? ['[value]', ''];
    const dashed = name.replaceAll('_', '-');
    const flags = dashed === name ? `--${name} ${value}` : `--${dashed}, --${name} ${value}`;
    const option = new Option(flags, text).helpGroup(GROUP);
    if (SHOWN[name] === undefined) option.hideHelp();
    if (name === 'precision') option.argParser(precision);
    if (name === 'max_time') option.argParser(time);
    command.addOption(option);
  }
}

/**
 * The options that were given, as overrides.
 * @param flags what commander has parsed
 */
export function trainerOverrides(flags: Readonly<Record<string, unknown>>): string[] {
  return TRAINER_ARGUMENTS.filter((name) => flags[attributeOf(name)] !== undefined).map((name) => {
    const value = flags[attributeOf(name)];
    return `lightning.trainer.${name}=${value === true ? 'true' : quoted(name, String(value))}`;
  });
}

/** Values that are text stay text, whatever they look like in YAML. */
function quoted(name: string, value: string): string {
  const isText = ['resume_from_checkpoint', 'gpus'].includes(name) && !/^-?\d+$/.test(value);
  return isText || value.includes(':') ? JSON.stringify(value) : value;
}

/** The name under which commander keeps an option: that of the long flag given last. */
function attributeOf(name: string): string {
  return new Option(`--${name}`).attributeName();
}

function precision(text: string): string {
  const found = PRECISIONS[text];
  if (found === undefined) throw new InvalidArgumentError('Expected 32, bf16 or 16.');
  return found;
}

function time(text: string): string | number {
  return /^\d+:\d+:\d+:\d+$/.test(text) ? text : duration(text);
}
