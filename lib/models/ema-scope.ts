/** The reference's `ema_scope`, of every model that keeps averaged weights. */
import type { Module } from './module';

/**
 * Runs `fn` with the averaged weights in place of the trained ones; without `use_ema`, just runs it.
 * @returns what `fn` returns
 * @internal
 */
export async function inEmaScope<T>(model: Module, fn: () => T | Promise<T>): Promise<T> {
  await model.call('emaEnter');
  try {
    return await fn();
  } finally {
    await model.call('emaExit');
  }
}
