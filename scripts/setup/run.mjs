// Runs other programs.
import { spawn, spawnSync } from 'node:child_process';

/** Runs a program whose output (both streams) goes to stderr; resolves with its exit code (null: it did not start). */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 2, 2] });
    child.on('error', () => resolve(null));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** What a program prints; undefined when it cannot be started or fails. */
export function outputOf(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 30_000, ...options });
  return status === 0 ? stdout : undefined;
}

/**
 * Runs a program in this one's place: with its standard streams, and ending with its exit code. Ctrl-C reaches the program
 * by itself, which may want to finish something; other requests to end are passed on.
 */
export async function handOver(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: 'inherit' });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1']) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('close', (status, signal) => resolve(signal ? 130 : status));
  });
  process.exit(code);
}
