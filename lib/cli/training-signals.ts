/** Signals of a running training: ctrl-C saves and stops, SIGUSR1 saves, SIGUSR2 tells where it is and lets a debugger in. */
import inspector from 'node:inspector';
import type { Trainer } from '../training/trainer';
import { EXIT } from './errors';
import type { Output } from './output';

/**
 * Runs `work` with signal handlers. `work` gets a function that tells which trainer is running.
 *
 * The first SIGINT or SIGTERM lets the running step end, then the trainer writes last.ckpt; the second one stops at once.
 * Before a trainer runs there is nothing to save, and the first one stops.
 */
export async function withTrainingSignals<T>(
  output: Output,
  work: (watch: (trainer: Trainer | undefined) => void) => Promise<T>,
): Promise<T> {
  let trainer: Trainer | undefined;
  let interrupted = false;
  const interrupt = () => {
    if (interrupted || !trainer) process.exit(EXIT.interrupted);
    interrupted = true;
    output.note('\nInterrupted: the running step ends, then last.ckpt is written. Again to stop at once.');
    trainer.interrupt();
  };
  const save = () => trainer?.requestCheckpoint();
  const look = () => {
    if (trainer) output.note(describe(trainer));
    // main.py opens Python's debugger here; this waits for one to be attached and goes on meanwhile.
    if (inspector.url() === undefined) inspector.open(0, '127.0.0.1');
    output.note(`Debugger: ${inspector.url()}`);
  };
  const handlers = [
    ['SIGINT', interrupt],
    ['SIGTERM', interrupt],
    ['SIGUSR1', save],
    ['SIGUSR2', look],
  ] as const;
  for (const [signal, handler] of handlers) process.on(signal, handler);
  try {
    return await work((running) => {
      trainer = running;
      if (interrupted) running?.interrupt();
    });
  } finally {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}

function describe({ status: { epoch, globalStep, metrics } }: Trainer): string {
  const values = Object.entries(metrics).map(([name, value]) => `${name} ${value.toPrecision(6)}`);
  return [`Epoch ${epoch}, ${globalStep} steps`, ...values].join('\n  ');
}
