/** Runs programs with the pretend GPU of pretend_device.cpp. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { addonOrigin, loadAddon } from '../../lib/native-loader';
import { runNode } from '../helpers/child';

const BUILD = path.join(__dirname, '../../build');
const PRELOAD = path.join(__dirname, 'preload.cjs');

/** What happened on the device since the last `reset`. */
export interface DeviceCounts {
  /** Operators by name; `replay` for a graph's. */
  operators: Record<string, number>;
  /** What the host waited for, by name. */
  waits: Record<string, number>;
}

/** Whether this libtorch leaves the place of the CUDA backend free. */
export function hasPretendDevice(): boolean {
  if (!addonOrigin()) loadAddon();
  return !fs.existsSync(path.join(addonOrigin()!.libtorch, 'lib/libtorch_cuda.so'));
}

/** Compiles the device where it is out of date: seconds the first time. */
export function buildPretendDevice(): void {
  execFileSync('cmake', ['--build', BUILD, '--target', 'pretend_device'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Runs `programs/<name>.ts` in a process that has the device as 'cuda'; what it prints as JSON. */
export async function runOnDevice(name: string, ...args: string[]): Promise<any> {
  const program = path.join(__dirname, 'programs', `${name}.ts`);
  const options = { env: { OMP_NUM_THREADS: '1' } };
  const { code, stdout, stderr } = await runNode(['--require', PRELOAD, '--import', 'tsx', program, ...args], options);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}
