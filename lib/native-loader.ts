import path from 'node:path';

/** Loads the compiled addon (build/Release, or a prebuild). @internal */
export function loadAddon(): unknown {
  const load = require('node-gyp-build') as (dir: string) => unknown;
  return load(path.join(__dirname, '..'));
}
