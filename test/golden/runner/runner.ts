/** Runs golden cases: finds the handler by the case's kind, compares what it reports, frees everything. */
import fs from 'node:fs';
import path from 'node:path';
import { writeSafetensors } from '../../../lib/checkpoint';
import { LdmError } from '../../../lib/errors';
import { configureBackend } from '../../../lib/kernels';
import { Tensor } from '../../../lib/tensor';
import type { KindHandler } from './case';
import { compareValues, slack, type Values, type Verdict } from './compare';
import { LoadedCase } from './loaded-case';

const KINDS = path.join(__dirname, '../kinds');

export interface RunOptions {
  /** 'cpu' (default) or 'cuda'. */
  device?: string;
  /** Folder for `<case>/actual.safetensors`. */
  out?: string;
}

/** What became of a case. */
export interface CaseResult {
  name: string;
  kind: string;
  ok: boolean;
  /** One per output, in the golden file's order. */
  verdicts: Verdict[];
  /** Whether the case's outputs were taken out, so that nothing could be compared. */
  computedOnly: boolean;
  /** Why the case could not be run at all. */
  error?: string;
  seconds: number;
}

/** Kinds that have a handler. */
export function knownKinds(): string[] {
  return fs
    .readdirSync(KINDS, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => entry.name.slice(0, -3));
}

/** The case folders among and directly below the given folders, sorted by name within each. */
export function findCases(folders: readonly string[]): string[] {
  const isCase = (dir: string) => fs.existsSync(path.join(dir, 'meta.json'));
  return folders.flatMap((dir) => {
    if (isCase(dir) || !fs.existsSync(dir)) return [dir];
    const inside = fs
      .readdirSync(dir)
      .sort()
      .map((name) => path.join(dir, name))
      .filter(isCase);
    return inside.length ? inside : [dir];
  });
}

/** Runs one case; never throws. */
export async function runCase(dir: string, options: RunOptions = {}): Promise<CaseResult> {
  const started = performance.now();
  const result: CaseResult = {
    name: path.basename(path.resolve(dir)),
    kind: '?',
    ok: false,
    verdicts: [],
    computedOnly: false,
    seconds: 0,
  };
  let c: LoadedCase | undefined;
  try {
    // The allowances are of fp32.
    if (options.device?.startsWith('cuda')) configureBackend({ tf32: 'off' });
    c = LoadedCase.open(dir, options.device ?? 'cpu');
    result.kind = c.kind;
    await handlerOf(c.kind)(c);
    const outputs = new Map<string, Values>();
    for (const [name, values] of c.outputs) outputs.set(name, await values);
    if (options.out) await writeActual(path.join(options.out, c.name), outputs);
    result.computedOnly = c.expectedNames().length === 0 && outputs.size > 0;
    result.verdicts = [...(result.computedOnly ? [] : await compareAll(c, outputs)), ...c.verdicts];
    if (!result.computedOnly && result.verdicts.length === 0) throw new Error('the handler reported nothing');
    result.ok = result.verdicts.every((v) => v.ok);
  } catch (error) {
    result.error = LdmError.is(error) ? `${error.code}: ${error.message}` : String((error as Error)?.stack ?? error);
  } finally {
    c?.dispose();
    result.seconds = (performance.now() - started) / 1000;
  }
  return result;
}

function handlerOf(kind: string): KindHandler {
  if (!knownKinds().includes(kind))
    throw new LdmError('ERR_INVALID_ARGUMENT', `the kind '${kind}' is not known; known are ${knownKinds().join(', ')}`);
  return require(path.join(KINDS, kind)).default;
}

async function compareAll(c: LoadedCase, outputs: Map<string, Values>): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const factor = slack(c.device);
  for (const name of c.expectedNames()) {
    const actual = outputs.get(name);
    const expected = (await c.golden(`out.${name}`))!;
    const allowed = (await c.golden(`allow.${name}`)) ?? c.meta.allowed[name];
    verdicts.push(
      actual
        ? compareValues(name, actual, expected, allowed, factor)
        : { name, ok: false, detail: 'was not reported', ratio: Infinity },
    );
  }
  const expected = new Set(c.expectedNames());
  for (const name of outputs.keys())
    if (!expected.has(name)) verdicts.push({ name, ok: false, detail: 'is no output of this case', ratio: Infinity });
  if (c.meta.no_grad_names)
    c.expectEqual('no_grad_names', c.noGradNames && [...c.noGradNames].sort(), [...c.meta.no_grad_names].sort());
  return verdicts;
}

async function writeActual(folder: string, outputs: Map<string, Values>): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  const tensors = new Map<string, Tensor>();
  for (const [name, { data, shape, dtype }] of outputs) tensors.set(`out.${name}`, Tensor.from(data, shape, { dtype }));
  await writeSafetensors(path.join(folder, 'actual.safetensors'), tensors);
  for (const tensor of tensors.values()) tensor.dispose();
}
