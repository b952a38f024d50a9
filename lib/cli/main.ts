/** The entry of `bin/ldm.js`. */
import { reportError } from './errors';
import { Output } from './output';
import { createProgram } from './program';

/** `ldm inspect x | head` closes the pipe early: that is no error. */
function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}

/** Runs the program; the process ends by itself with the exit code, after everything has been written. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.off('error', onBrokenPipe).on('error', onBrokenPipe);
  try {
    const program = await createProgram(args);
    if (args.length === 0) program.help();
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = reportError(error, new Output({ quiet: args.includes('--quiet') }));
  }
}
