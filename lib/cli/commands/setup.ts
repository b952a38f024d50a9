/** `ldm setup`: finds or gets libtorch for the prebuilt addon, or compiles the addon where there is none. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { LdmError } from '../../errors';
import { setUpPrebuilt } from '../../libtorch/set-up-prebuilt';
import { addonOrigin, findAddon, isPrebuilt, loadAddon, loadPreload } from '../../native-loader';
import { type CommandDefinition, outputOf } from '../command';
import { Transfers } from '../transfers';

const PACKAGE = path.join(__dirname, '../../..');

const EXPLANATION = `
The addon comes prebuilt for some platforms and serves one minor version of libtorch, which is not part of the package.
The first of these is used:
  the folder in LIBTORCH (which has to be set when the program runs, too)
  the folder libtorch in the package
  the folder that an earlier ldm setup has chosen
  PyTorch of the same minor version, of python3 or python
  a download from download.pytorch.org, or by pip, with a checked SHA-256, into the cache folder

Environment:
  LDM_LIBTORCH_VARIANT  cpu, cu126, cu130 or cu132 (default: cpu, or CUDA where an NVIDIA driver is found)
  LDM_LIBTORCH_MIRROR   replaces https://download.pytorch.org (same paths below it)
  LDM_CACHE             the cache folder (default: ~/.cache/node-ldm)

Where there is no prebuilt addon, or with --compile, the addon is compiled: that takes a C++20 compiler, CMake and make.

Examples:
  npx ldm setup
  LDM_LIBTORCH_VARIANT=cu130 npx ldm setup
  npx ldm setup --compile`;

export const setup: CommandDefinition = {
  configure(command: Command) {
    command
      .option('--compile', 'compile the addon for the libtorch that is found, of any supported version')
      .addHelpText('after', EXPLANATION)
      .action(async ({ compile: compiling }: { compile?: boolean }) => {
        const output = outputOf(command);
        const addon = compiling ? undefined : prebuiltAddon();
        if (addon === undefined) await compile();
        else {
          const transfers = new Transfers(output);
          const { builtFor } = loadPreload(addon);
          output.note(`A prebuilt addon for libtorch ${builtFor} is there: looking for libtorch.`);
          const libtorch = await setUpPrebuilt(PACKAGE, builtFor, {
            info: (line) => transfers.note(`  ${line}`),
            progress: (label, ...state) => transfers.update(`  ${label}`, ...state),
          }).finally(() => transfers.end());
          output.note(`libtorch ${libtorch.version}: ${libtorch.dir} (${libtorch.source})`);
        }
        // The proof of the pudding; its errors say what to do.
        const { torchVersion } = (loadAddon() as { info(): { torchVersion: string } }).info();
        output.result({ ...addonOrigin(), torchVersion }, () => `Ready: the addon runs on libtorch ${torchVersion}.`);
      });
  },
};

/** The addon of prebuilds; undefined where there is none for this platform, or one was compiled here. */
function prebuiltAddon(): string | undefined {
  try {
    const addon = findAddon();
    return isPrebuilt(addon) ? addon : undefined;
  } catch (error) {
    if (LdmError.is(error)) return undefined;
    throw error;
  }
}

/** scripts/setup.mjs, which serves clones, too. Its output is for people. */
async function compile(): Promise<void> {
  const script = path.join(PACKAGE, 'scripts/setup.mjs');
  if (!fs.existsSync(script)) throw new LdmError('ERR_SETUP', `${script} is not there. Install the package anew`);
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 2, 2] });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
  if (code !== 0) throw new LdmError('ERR_SETUP', 'Compiling the addon failed; the reason is above');
}
