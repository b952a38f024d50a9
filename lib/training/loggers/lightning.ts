/**
 * The loggers that a config may name (`lightning.logger`), in Lightning's folders and with Lightning's names of metrics:
 * what is logged both by step and as a mean over the epoch is called `<name>_step` and `<name>_epoch`.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { ResolvedNode } from '../../config';
import { LdmError } from '../../errors';
import type { Metrics } from '../metrics';
import { CsvLogger } from './csv';
import { type Logger, type LogPlace, MetricsLogger } from './logger';
import { TensorBoardLogger } from './tensorboard';

/** What the folder of a version holds, by target. */
const KINDS: Record<string, (folder: string) => Logger[]> = {
  'pytorch_lightning.loggers.TestTubeLogger': (folder) => [
    new CsvLogger(path.join(folder, 'metrics.csv')),
    new TensorBoardLogger(path.join(folder, 'tf')),
  ],
  'pytorch_lightning.loggers.CSVLogger': (folder) => [new CsvLogger(path.join(folder, 'metrics.csv'))],
  'pytorch_lightning.loggers.TensorBoardLogger': (folder) => [new TensorBoardLogger(folder)],
};

/**
 * The logger of a checked `lightning.logger` node: `<save_dir>/<name>/version_<n>`, n being the next free number unless the
 * config gives one.
 * @param options.isForked tells which metrics are logged by step and by epoch
 * @throws LdmError ERR_UNKNOWN_TARGET for one that is not available
 */
export function lightningLogger(
  node: ResolvedNode,
  options: { saveDir: string; isForked: (name: string) => boolean },
): Logger {
  const make = KINDS[node.target];
  if (!make)
    throw new LdmError(
      'ERR_UNKNOWN_TARGET',
      `The logger ${node.target} is not available. Remove lightning.logger (metrics go to CSV and TensorBoard files), or use one of ${Object.keys(KINDS).join(', ')}.`,
    );
  const { save_dir, name, version } = node.params as { save_dir?: string; name?: string | null; version?: unknown };
  const root = path.join(save_dir || options.saveDir, name ?? '');
  const folder = path.join(root, `version_${version ?? nextVersion(root)}`);
  return new StepNames(new MetricsLogger(...make(folder)), options.isForked);
}

function nextVersion(root: string): number {
  const names = fs.existsSync(root) ? fs.readdirSync(root) : [];
  const numbers = names.map((name) => /^version_(\d+)$/.exec(name)).map((found) => (found ? Number(found[1]) : -1));
  return Math.max(-1, ...numbers) + 1;
}

/** Gives the values of steps Lightning's names. */
class StepNames implements Logger {
  constructor(
    private readonly logger: MetricsLogger,
    private readonly isForked: (name: string) => boolean,
  ) {}

  log(values: Metrics, at: LogPlace): void {
    const rename = ([name, value]: [string, number]) => [this.isForked(name) ? `${name}_step` : name, value];
    this.logger.log(at.of === 'step' ? Object.fromEntries(Object.entries(values).map(rename)) : values, at);
  }
  image(...args: Parameters<MetricsLogger['image']>): void {
    this.logger.image(...args);
  }
  close(): void {
    this.logger.close();
  }
}
