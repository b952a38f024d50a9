/** A Python with PyTorch, where there is one: only the bench looks for it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LdmError } from '../errors';

/**
 * @param wanted a program that must have torch; without it python3 is used if it has
 * @returns the program, or undefined when there is none
 * @throws LdmError ERR_SETUP when the wanted one has no torch
 */
export async function pythonWithTorch(wanted?: string): Promise<string | undefined> {
  const program = wanted ?? 'python3';
  try {
    await promisify(execFile)(program, ['-c', 'import torch']);
    return program;
  } catch (error) {
    if (wanted === undefined) return undefined;
    const [reason] = (error as { stderr?: string }).stderr?.trim().split('\n').slice(-1) ?? [];
    throw new LdmError(
      'ERR_SETUP',
      `${program} cannot import torch (${reason || (error as Error).message}). Give another Python with --python, or leave it out.`,
      { cause: error },
    );
  }
}
