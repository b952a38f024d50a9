/**
 * With `node --require`: opens the pretend GPU before libtorch is opened, which asks only once what devices there are.
 * The program finds what the device counts in `globalThis.pretendDevice`.
 */
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
  const loaded = { exports: {} };
  process.dlopen(loaded, path.join(__dirname, '../../build/test/pretend_device.so'));
  globalThis.pretendDevice = loaded.exports;
}
