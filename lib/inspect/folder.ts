/** What a diffusers folder holds: its parts, their classes and weights. */
import fs from 'node:fs';
import path from 'node:path';
import { listVariants, openWeights } from '../checkpoint/diffusers';
import { isDiffusersFolder } from '../convert/folder-source';

export interface FolderPart {
  /** Folder within the pipeline; '' for a model by itself. */
  folder: string;
  className: string;
  /** Variants of its weights; '' is the plain one. Empty for parts without weights. */
  variants: string[];
  tensors: number;
  elements: number;
}

export interface FolderSummary {
  kind: 'diffusers';
  file: string;
  /** Class of the pipeline; null for models without one. */
  pipeline: string | null;
  parts: FolderPart[];
}

export { isDiffusersFolder };

/**
 * Looks into a diffusers folder.
 * @throws LdmError ERR_FILE or ERR_CHECKPOINT
 */
export async function inspectFolder(folder: string): Promise<FolderSummary> {
  const index = jsonOf(path.join(folder, 'model_index.json'));
  const below = fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const parts: FolderPart[] = [];
  for (const name of ['', ...below.map((entry) => entry.name).sort()]) {
    const config =
      jsonOf(path.join(folder, name, 'config.json')) ?? jsonOf(path.join(folder, name, 'scheduler_config.json'));
    if (config) parts.push(await partOf(folder, name, config));
  }
  return { kind: 'diffusers', file: folder, pipeline: textOf(index?._class_name), parts };
}

async function partOf(folder: string, name: string, config: Record<string, unknown>): Promise<FolderPart> {
  const own = path.join(folder, name);
  const [architecture] = Array.isArray(config.architectures) ? config.architectures : [];
  const className = textOf(config._class_name) ?? textOf(architecture) ?? 'unknown';
  const variants = [...listVariants(own).keys()];
  if (variants.length === 0) return { folder: name, className, variants, tensors: 0, elements: 0 };
  const weights = await openWeights(own, variants.includes('') ? '' : variants[0]);
  const shapes = [...weights.tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  weights.dispose();
  return { folder: name, className, variants, tensors: shapes.length, elements: shapes.reduce((a, b) => a + b, 0) };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function jsonOf(file: string): Record<string, unknown> | null {
  if (!fs.existsSync(file) || fs.statSync(file).size > 4 << 20) return null;
  try {
    const json = JSON.parse(fs.readFileSync(file, 'utf8')) as unknown;
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
