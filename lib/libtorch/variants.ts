/** The builds of libtorch that set-up can get: CPU, or CUDA where a driver is found. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { LdmError } from '../errors';
import { PINNED_VERSION } from './folder';

/** Builds that PyTorch publishes for the pinned version. */
export const VARIANTS = ['cpu', 'cu126', 'cu130', 'cu132'] as const;
export type Variant = (typeof VARIANTS)[number];

export interface VariantChoice {
  variant: Variant;
  /** Why, for people. */
  reason: string;
  /** Whether LDM_LIBTORCH_VARIANT asked for it. */
  explicit: boolean;
}

/** A file on PyTorch's site. */
export interface Archive {
  file: string;
  url: string;
  /** Folder inside of the zip that holds lib, include and share. */
  root: string;
  /** Pinned where known; other files are checked against the hash of their first use. */
  sha256?: string;
}

const SITE = 'https://download.pytorch.org';
const CPU_WHEEL_X64_SHA256 = '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b';

/** Oldest NVIDIA driver of the CUDA generations, newest first (CUDA release notes, minor version compatibility). */
const DRIVERS: { variant: Variant; major: number }[] = [
  { variant: 'cu130', major: 580 },
  { variant: 'cu126', major: 525 },
];

/** The installed NVIDIA driver, such as '580.65.06', or undefined. */
function nvidiaDriver(): string | undefined {
  if (fs.existsSync('/dev/nvidiactl') && fs.existsSync('/proc/driver/nvidia/version')) {
    const version = /Kernel Module\s.*?(\d+\.\d+(\.\d+)?)/.exec(fs.readFileSync('/proc/driver/nvidia/version', 'utf8'));
    if (version) return version[1];
  }
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] : undefined;
}

/** The variant for a driver version (undefined: no driver). */
export function variantForDriver(driver: string | undefined): VariantChoice {
  if (!driver) return { variant: 'cpu', reason: 'no NVIDIA driver found', explicit: false };
  const fit = DRIVERS.find(({ major }) => Number.parseInt(driver, 10) >= major);
  if (fit) return { variant: fit.variant, reason: `NVIDIA driver ${driver} found`, explicit: false };
  return { variant: 'cpu', reason: `NVIDIA driver ${driver} is older than ${DRIVERS.at(-1)?.major}`, explicit: false };
}

/** LDM_LIBTORCH_VARIANT, else what the machine's driver suggests. */
export function chooseVariant(env: NodeJS.ProcessEnv = process.env): VariantChoice {
  const asked = env.LDM_LIBTORCH_VARIANT;
  if (!asked) return variantForDriver(nvidiaDriver());
  if (!(VARIANTS as readonly string[]).includes(asked)) {
    throw new LdmError(
      'ERR_SETUP',
      `LDM_LIBTORCH_VARIANT is '${asked}', but must be one of ${VARIANTS.join(', ')}. Set one of them or unset it`,
    );
  }
  return { variant: asked as Variant, reason: 'LDM_LIBTORCH_VARIANT asks for it', explicit: true };
}

/** Node's architecture name as wheels spell it. */
export function wheelMachine(arch: string = process.arch): string {
  return arch === 'arm64' ? 'aarch64' : 'x86_64';
}

/**
 * The file of a variant. `LDM_LIBTORCH_MIRROR` replaces `https://download.pytorch.org` by a mirror with the same paths.
 */
export function archiveOf(
  variant: Variant,
  env: NodeJS.ProcessEnv = process.env,
  arch: string = process.arch,
): Archive {
  const site = (env.LDM_LIBTORCH_MIRROR || SITE).replace(/\/+$/, '');
  if (variant === 'cpu') {
    const file = `torch-${PINNED_VERSION}+cpu-cp311-cp311-manylinux_2_28_${wheelMachine(arch)}.whl`;
    const url = `${site}/whl/cpu/${encodeURIComponent(file)}`;
    return { file, url, root: 'torch', sha256: arch === 'x64' ? CPU_WHEEL_X64_SHA256 : undefined };
  }
  if (arch !== 'x64') {
    throw new LdmError(
      'ERR_SETUP',
      `PyTorch publishes no libtorch archive with CUDA for ${process.platform}-${arch}. Set LIBTORCH to the 'torch' folder ` +
        'of a Python installation with CUDA, or LDM_LIBTORCH_VARIANT=cpu',
    );
  }
  const file = `libtorch-shared-with-deps-${PINNED_VERSION}+${variant}.zip`;
  return { file, url: `${site}/libtorch/${variant}/${encodeURIComponent(file)}`, root: 'libtorch' };
}
