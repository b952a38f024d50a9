/**
 * The log folder of the reference's main.py: `logs/<time>_<name><postfix>/{checkpoints,configs,images,testtube}`, with the
 * configs of the run as `<time>-project.yaml` and `<time>-lightning.yaml`.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import { writeFileAtomic } from '../pictures/picture';

const CLASSES = 'classes.txt';

/** Paths of one run. Folders are made by {@link LogFolder.create}. */
export class LogFolder {
  readonly root: string;
  /** Start of this run, in the form that the reference puts into names. */
  readonly time: string;

  constructor(root: string, time = timeStamp()) {
    this.root = root;
    this.time = time;
  }

  /**
   * The folder of a new run.
   * @param options.logdir parent folder (the reference's `--logdir`)
   * @param options.name name of the run (`--name`, or the first config's file name)
   */
  static forRun(options: { logdir: string; name: string; postfix?: string; now?: Date }): LogFolder {
    const time = timeStamp(options.now);
    const name = options.name ? `_${options.name}` : '';
    return new LogFolder(path.join(options.logdir, `${time}${name}${options.postfix ?? ''}`), time);
  }

  /**
   * What `--resume PATH` means: a log folder (then `checkpoints/last.ckpt`), a checkpoint in one, or a checkpoint that lies
   * elsewhere (then there is no folder, and no configs).
   * @throws LdmError ERR_FILE when there is nothing to resume
   */
  static forResume(target: string): { folder: LogFolder | undefined; checkpoint: string; configs: string[] } {
    if (!fs.existsSync(target))
      throw new LdmError('ERR_FILE', `Cannot find ${target}. --resume takes a log folder or a checkpoint.`);
    const given = path.resolve(target);
    if (fs.statSync(given).isFile()) {
      const root = rootOf(given);
      if (root === undefined) return { folder: undefined, checkpoint: given, configs: [] };
      return { folder: new LogFolder(root), checkpoint: given, configs: configsOf(root) };
    }
    const checkpoint = path.join(given, 'checkpoints', 'last.ckpt');
    if (!fs.existsSync(checkpoint))
      throw new LdmError('ERR_FILE', `There is no checkpoint ${checkpoint}. Give one with --resume FILE.`);
    return { folder: new LogFolder(given), checkpoint, configs: configsOf(given) };
  }

  get checkpoints(): string {
    return path.join(this.root, 'checkpoints');
  }
  get configs(): string {
    return path.join(this.root, 'configs');
  }
  get images(): string {
    return path.join(this.root, 'images');
  }
  /** Metrics as JSON lines. */
  get metrics(): string {
    return path.join(this.root, 'metrics.jsonl');
  }

  /**
   * Makes the folders and writes the configs.
   * @param project YAML of the merged config without its `lightning` section
   * @param lightning YAML of that section
   * @param classNames names of the classes, kept for sampling
   */
  create(project: string, lightning: string, classNames: readonly string[] = []): void {
    try {
      for (const folder of [this.checkpoints, this.configs]) fs.mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new LdmError('ERR_FILE', `Cannot make the log folder ${this.root}: ${(error as Error).message}`);
    }
    writeFileAtomic(path.join(this.configs, `${this.time}-project.yaml`), project);
    writeFileAtomic(path.join(this.configs, `${this.time}-lightning.yaml`), lightning);
    if (classNames.length > 0) writeFileAtomic(path.join(this.root, CLASSES), `${classNames.join('\n')}\n`);
  }

  /** Moves the folder into one beside it, such as `debug_runs`. Returns the new place. */
  moveInto(name: string): LogFolder {
    const parent = path.join(path.dirname(this.root), name);
    const moved = path.join(parent, path.basename(this.root));
    fs.mkdirSync(parent, { recursive: true });
    fs.renameSync(this.root, moved);
    return new LogFolder(moved, this.time);
  }
}

/** The log folder that a checkpoint lies in: the parent of the `checkpoints` folder that it is in, at whatever depth. */
function rootOf(checkpoint: string): string | undefined {
  const folders = path.dirname(checkpoint).split(path.sep);
  const depth = folders.lastIndexOf('checkpoints');
  return depth > 0 ? folders.slice(0, depth).join(path.sep) || path.sep : undefined;
}

/** Names of the classes that a log folder's model was trained on, by label; empty where it had none. */
export function classNamesOf(root: string): string[] {
  const file = path.join(root, CLASSES);
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trimEnd().split('\n') : [];
}

/** Config files of a log folder in the order in which they are merged; empty where it has none. */
export function configsOf(root: string): string[] {
  const folder = path.join(root, 'configs');
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((f) => f.endsWith('.yaml'))
    .sort()
    .map((f) => path.join(folder, f));
}

/** `2021-12-31T23-59-59` in local time. */
export function timeStamp(date = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}-${two(date.getMinutes())}-${two(date.getSeconds())}`;
}
