/** Runs the program in this process and collects what it writes. */
import { main } from '../../lib/cli/main';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** `ldm` with the given arguments. stdout and stderr are no terminals. */
export async function runLdm(...args: string[]): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr') =>
    jest.spyOn(process[name], 'write').mockImplementation((chunk: string | Uint8Array) => {
      written[name] += chunk.toString();
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await main(args);
    return { code: Number(process.exitCode ?? 0), ...written };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
