// What set-up tells: lines on stderr, so that stdout stays free for the data of the command that runs afterwards.

const started = Date.now();

/** A step begins. */
export function step(text) {
  process.stderr.write(`[setup ${((Date.now() - started) / 1000).toFixed(1).padStart(5)} s] ${text}\n`);
}

/** A detail of the current step. */
export function detail(text) {
  process.stderr.write(`  ${text}\n`);
}
