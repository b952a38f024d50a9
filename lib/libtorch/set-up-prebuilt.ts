/** Makes a prebuilt addon work: finds or gets the libtorch that it was built for. No compiler is needed. */
import path from 'node:path';
import { cacheFolder } from '../cache';
import { LdmError } from '../errors';
import { type FoundLibtorch, findLibtorch } from './find';
import { inspectLibtorch, isUsable, minorOf, PINNED_VERSION } from './folder';
import { rememberedLibtorch, rememberLibtorch } from './folders';
import { obtainLibtorch } from './obtain';
import type { Reporter } from './reporter';
import { chooseVariant, type VariantChoice } from './variants';

/**
 * The libtorch for an addon that was built for the version `builtFor`: the first of LIBTORCH, `libtorch` in the package's
 * folder, the one that was chosen before, an importable PyTorch of the same minor version, and a download into the cache
 * folder. The choice is recorded there for the loader.
 *
 * @param packageDir folder of the installed package
 */
export async function setUpPrebuilt(packageDir: string, builtFor: string, reporter: Reporter): Promise<FoundLibtorch> {
  let choice: VariantChoice | undefined;
  const variant = () => (choice ??= chooseVariant());
  const minor = minorOf(builtFor);
  const found = findLibtorch(packageDir, variant, reporter, rememberedLibtorch(builtFor), { minor });
  const libtorch = found ?? (await fetchFor(minor, variant(), reporter));
  // LIBTORCH has to be set when the program runs, too: it says where to look, now and then.
  rememberLibtorch(builtFor, libtorch.dir);
  return libtorch;
}

async function fetchFor(minor: string, variant: VariantChoice, reporter: Reporter): Promise<FoundLibtorch> {
  if (minor !== minorOf(PINNED_VERSION)) {
    throw new LdmError(
      'ERR_SETUP',
      `The prebuilt addon needs libtorch ${minor}.x, but set-up can only get ${PINNED_VERSION}. Set LIBTORCH to a ` +
        `libtorch ${minor}, or compile the addon with \`npx ldm setup --compile\``,
    );
  }
  const dir = path.join(cacheFolder(), `libtorch-${PINNED_VERSION}-${variant.variant}`);
  const present = inspectLibtorch(dir);
  if (isUsable(present)) return { ...present, source: 'downloaded before' };
  return obtainLibtorch(dir, variant, reporter);
}
