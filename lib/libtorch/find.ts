/** Looks for a libtorch that is there already: LIBTORCH, the project's own folder, an importable Python torch. */
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import {
  inspectLibtorch,
  isSupportedVersion,
  isUsable,
  type LibtorchFolder,
  minorOf,
  supportedVersions,
} from './folder';
import { importableTorch, pythons } from './python';
import type { Reporter } from './reporter';
import type { VariantChoice } from './variants';

export interface FoundLibtorch extends LibtorchFolder {
  /** Where it came from, for people. */
  source: string;
}

/** Written into a folder that set-up has unpacked. */
export interface UnpackedRecord {
  version: string;
  variant: string;
  /** Archive that it came from, and its checksum. */
  file: string;
  sha256: string;
}

const RECORD = '.node-ldm.json';

/** The record of an unpacked folder; undefined for one that somebody else put there. */
export function readUnpackedRecord(dir: string): UnpackedRecord | undefined {
  try {
    return JSON.parse(fs.readFileSync(path.join(dir, RECORD), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Leaves the record in a freshly unpacked folder. */
export function writeUnpackedRecord(dir: string, record: UnpackedRecord): void {
  fs.writeFileSync(path.join(dir, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/** What the caller can use: any supported version, or the one minor version that a prebuilt addon was built for. */
interface Wanted {
  minor?: string;
}

const fits = (version: string, { minor }: Wanted): boolean => minor === undefined || minorOf(version) === minor;

/** The folder that LIBTORCH names. It is never silently replaced by another one. */
function fromEnvironment(dir: string, wanted: Wanted): FoundLibtorch {
  const folder = inspectLibtorch(path.resolve(dir));
  if (isUsable(folder)) {
    if (fits(folder.version, wanted)) return { ...folder, source: 'LIBTORCH' };
    throw new LdmError(
      'ERR_SETUP',
      `LIBTORCH cannot be used: ${folder.dir} holds libtorch ${folder.version}, but the prebuilt addon needs ` +
        `${wanted.minor}.x. Let it name such a folder, unset it, or compile the addon for ${minorOf(folder.version)} ` +
        'with `npx ldm setup --compile`',
    );
  }
  throw new LdmError(
    'ERR_SETUP',
    `LIBTORCH cannot be used: ${folder.problem}. Let it name an unpacked libtorch ${supportedVersions()} (a folder with ` +
      'lib and include), or unset it to have set-up get one',
  );
}

/** ./libtorch; undefined when it is absent or was unpacked for another variant than the one that is asked for. */
function fromProject(
  dir: string,
  choice: () => VariantChoice,
  reporter: Reporter,
  wanted: Wanted,
): FoundLibtorch | undefined {
  if (!fs.existsSync(dir)) return undefined;
  const folder = inspectLibtorch(dir);
  if (!isUsable(folder)) {
    throw new LdmError(
      'ERR_SETUP',
      `The libtorch folder of the project cannot be used: ${folder.problem}. Delete ${dir} to have set-up get it anew`,
    );
  }
  if (!fits(folder.version, wanted)) {
    reporter.info(`${dir} is passed over: it holds libtorch ${folder.version}, ${wanted.minor}.x is required`);
    return undefined;
  }
  const record = readUnpackedRecord(dir);
  if (record && process.env.LDM_LIBTORCH_VARIANT && record.variant !== choice().variant) {
    reporter.info(
      `${dir} holds the ${record.variant} build, but LDM_LIBTORCH_VARIANT=${choice().variant}: replacing it`,
    );
    return undefined;
  }
  return { ...folder, source: './libtorch' };
}

function fromPython(choice: () => VariantChoice, reporter: Reporter, wanted: Wanted): FoundLibtorch | undefined {
  for (const python of pythons()) {
    const torch = importableTorch(python);
    if (!torch) continue;
    const skip = (why: string) => reporter.info(`PyTorch ${torch.version} of ${python} is passed over: ${why}`);
    if (!isSupportedVersion(torch.version) || !fits(torch.version, wanted)) {
      skip(`${wanted.minor ? `${wanted.minor}.x` : supportedVersions()} is required`);
      continue;
    }
    const folder = inspectLibtorch(torch.dir);
    if (!isUsable(folder)) skip(folder.problem);
    else if (process.env.LDM_LIBTORCH_VARIANT && folder.variant !== choice().variant) {
      skip(`it is a ${folder.variant} build, but LDM_LIBTORCH_VARIANT=${choice().variant}`);
    } else return { ...folder, source: `PyTorch of ${python}` };
  }
  return undefined;
}

/**
 * The first usable libtorch in the documented order, or undefined.
 *
 * @param remembered folder of a Python's PyTorch that an earlier run found: while it is still there, Python is not
 *   started to ask again.
 * @param wanted `minor`: only this minor version will do, such as '2.13'.
 */
export function findLibtorch(
  projectDir: string,
  choice: () => VariantChoice,
  reporter: Reporter,
  remembered?: string,
  wanted: Wanted = {},
): FoundLibtorch | undefined {
  if (process.env.LIBTORCH) return fromEnvironment(process.env.LIBTORCH, wanted);
  const own = fromProject(path.join(projectDir, 'libtorch'), choice, reporter, wanted);
  if (own) return own;
  if (remembered && !process.env.LDM_LIBTORCH_VARIANT) {
    const folder = inspectLibtorch(remembered);
    if (isUsable(folder) && fits(folder.version, wanted)) return { ...folder, source: 'found before' };
  }
  return fromPython(choice, reporter, wanted);
}
