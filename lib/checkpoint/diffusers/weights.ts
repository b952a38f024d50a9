/**
 * The weights of one model of a diffusers folder: one file or several with an index, safetensors or torch's format, in one
 * of several variants (fp16, non_ema).
 */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../../errors';
import { damaged, unreadable } from '../errors';
import { readCheckpoint } from '../read';
import type { Checkpoint, FileTensor } from '../types';

/** Opened weights. Dispose of them when the tensors have been copied. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, FileTensor>;
  /** The files, the index left out. */
  readonly files: readonly string[];
  /** Metadata of the first file. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The variant that was found: '' for none. */
  readonly variant: string;
  dispose(): void;
}

/** Names of weight files without their ending; diffusers' own models have the first, those of transformers the others. */
const STEMS = ['diffusion_pytorch_model', 'model', 'pytorch_model'];
const FORMATS = ['safetensors', 'bin'];
/** Longest index that is read. */
const LONGEST_INDEX = 16 << 20;

/** Weight files of a folder by variant ('' for none): what is opened for each. */
export function listVariants(folder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  for (const stem of STEMS)
    for (const format of FORMATS)
      for (const name of names) {
        const variant = variantOf(name, stem, format);
        if (variant !== undefined && !found.has(variant)) found.set(variant, name);
      }
  return found;
}

/** `stem.VARIANT.format` or its index `stem.format.index.VARIANT.json`. */
function variantOf(name: string, stem: string, format: string): string | undefined {
  if (!name.startsWith(`${stem}.`) || /-\d+-of-\d+\./.test(name)) return undefined;
  const rest = name.slice(stem.length + 1);
  const plain = /^(?:([\w-]+)\.)?(safetensors|bin)$/.exec(rest);
  if (plain) return plain[2] === format ? (plain[1] ?? '') : undefined;
  const index = /^(safetensors|bin)\.index\.(?:([\w-]+)\.)?json$/.exec(rest);
  return index?.[1] === format ? (index[2] ?? '') : undefined;
}

/**
 * Opens the weights of a folder.
 * @param variant which ones; without it the plain ones, or the only ones that there are
 * @throws LdmError ERR_FILE when there are none, ERR_CHECKPOINT when a file or the index is wrong
 */
export async function openWeights(folder: string, variant?: string): Promise<Weights> {
  const variants = listVariants(folder);
  const others = [...variants.keys()].filter((v) => v !== 'non_ema');
  const chosen = variant ?? (variants.has('') || others.length !== 1 ? '' : others[0]);
  const name = variants.get(chosen);
  if (name === undefined) {
    const there = variants.size > 0 ? `; there are the variants ${[...variants.keys()].join(', ')}` : '';
    const wanted = chosen === '' ? 'no weights' : `no weights of the variant '${chosen}'`;
    throw new LdmError('ERR_FILE', `${folder}: ${wanted} (${STEMS[0]}.safetensors and the like)${there}`);
  }
  const files = name.endsWith('.json') ? filesOfIndex(path.join(folder, name)) : [name];
  return openAll(
    files.map((file) => path.join(folder, file)),
    chosen,
  );
}

async function openAll(files: readonly string[], variant: string): Promise<Weights> {
  const opened: Checkpoint[] = [];
  const dispose = () => {
    for (const checkpoint of opened) checkpoint.dispose();
  };
  try {
    const tensors = new Map<string, FileTensor>();
    for (const file of files) {
      const checkpoint = await readCheckpoint(file);
      opened.push(checkpoint);
      for (const [key, tensor] of checkpoint.tensors) {
        if (tensors.has(key)) throw damaged(file, `holds '${key}', which another file of the model holds too`);
        tensors.set(key, tensor);
      }
    }
    return { tensors, files, metadata: opened[0].metadata, variant, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The files that an index names; they lie beside it. */
function filesOfIndex(file: string): string[] {
  let text: string;
  try {
    if (fs.statSync(file).size > LONGEST_INDEX) throw damaged(file, 'is longer than any index');
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw error instanceof LdmError ? error : unreadable(file, error);
  }
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown }).weight_map;
  } catch {
    throw damaged(file, 'is not JSON');
  }
  if (typeof map !== 'object' || map === null) throw damaged(file, 'has no weight_map');
  const files = [...new Set(Object.values(map))];
  for (const name of files)
    if (typeof name !== 'string' || name !== path.basename(name) || name.startsWith('.'))
      throw damaged(file, `names the file ${JSON.stringify(name)?.slice(0, 80)}; expected one beside the index`);
  if (files.length === 0) throw damaged(file, 'names no files');
  return files as string[];
}

/** Older names of layers, which are understood when the present ones are not there. */
const OLDER: readonly (readonly [present: string, older: string])[] = [
  ['.to_q.', '.query.'],
  ['.to_k.', '.key.'],
  ['.to_v.', '.value.'],
  ['.to_out.0.', '.proj_attn.'],
];

/** A tensor under its present or an older name, with the name that it has. */
export function findTensor(
  tensors: ReadonlyMap<string, FileTensor>,
  name: string,
): { name: string; tensor: FileTensor } | undefined {
  const names = [name, ...OLDER.filter(([now]) => name.includes(now)).map(([now, then]) => name.replace(now, then))];
  for (const candidate of names) {
    const tensor = tensors.get(candidate);
    if (tensor) return { name: candidate, tensor };
  }
  return undefined;
}
