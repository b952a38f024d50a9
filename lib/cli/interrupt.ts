/** Ctrl-C: the first one asks the command to stop, the second one stops it at once. */
import { EXIT } from './errors';

/**
 * Runs `work` with a signal that is aborted by the first SIGINT or SIGTERM. Whatever libtorch is doing then stops within one
 * network evaluation and the command ends with exit code 130.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
