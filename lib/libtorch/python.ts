/** What a Python on this machine can offer: an installed PyTorch, or pip to get its wheel. No Python is required. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { LdmError } from '../errors';
import { PINNED_VERSION } from './folder';
import { type Variant, wheelMachine } from './variants';

const COMMANDS = ['python3', 'python'];

/** The Pythons that start. */
export function pythons(): string[] {
  return COMMANDS.filter((command) => spawnSync(command, ['--version'], { timeout: 10_000 }).status === 0);
}

const IMPORT = 'import json, torch; print(json.dumps([torch.__version__, torch.__path__[0]]))';

/** Version and folder of the PyTorch that `python` imports, or undefined. */
export function importableTorch(python: string): { version: string; dir: string } | undefined {
  // Not in the current folder: a folder named torch there would be taken for the package.
  const { status, stdout } = spawnSync(python, ['-c', IMPORT], { encoding: 'utf8', timeout: 120_000, cwd: '/' });
  if (status !== 0) return undefined;
  const [version, dir] = JSON.parse(stdout.trim().split('\n').at(-1) as string) as [string, string];
  return { version: version.replace(/\+.*/, ''), dir };
}

/**
 * The arguments of pip for the pinned wheel. The platform is spelled out, so that any Python version does. A CUDA wheel
 * depends on NVIDIA's own wheels for the CUDA libraries; the CPU wheel is complete.
 */
export function pipArguments(folder: string, variant: Variant): string[] {
  return [
    '-m',
    'pip',
    'download',
    ...(variant === 'cpu' ? ['--no-deps'] : []),
    ...[
      '--retries',
      '0',
      '--only-binary=:all:',
      '--python-version',
      '3.11',
      '--implementation',
      'cp',
      '--abi',
      'cp311',
    ],
    ...['--platform', `manylinux_2_28_${wheelMachine()}`, '--dest', folder, `torch==${PINNED_VERSION}`],
  ];
}

const run = (command: string, args: string[]): Promise<{ status: number | null; output: string }> =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ status: null, output: error.message }));
    child.on('close', (status) => resolve({ status, output }));
  });

/** Has pip download the wheel of `variant` into `folder` (made fresh). Returns the wheels; PyTorch's own comes first. */
export async function pipDownload(folder: string, variant: Variant): Promise<string[]> {
  const found = pythons();
  if (found.length === 0) {
    throw new LdmError(
      'ERR_SETUP',
      `no Python was found (looked for ${COMMANDS.join(', ')}) to run \`pip download\` with`,
    );
  }
  const problems: string[] = [];
  for (const python of found) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    const { status, output } = await run(python, pipArguments(folder, variant));
    const wheels = fs.readdirSync(folder).filter((name) => name.endsWith('.whl'));
    const torch = wheels.find((name) => name.startsWith('torch-'));
    if (status === 0 && torch)
      return [torch, ...wheels.filter((name) => name !== torch)].map((name) => path.join(folder, name));
    const lines = output.trim().split('\n');
    problems.push(`${python}: ${lines.filter((line) => /error|no module/i.test(line)).at(-1) ?? lines.at(-1)}`);
  }
  throw new LdmError('ERR_SETUP', `\`pip download torch==${PINNED_VERSION}\` failed: ${problems.join('; ')}`);
}
