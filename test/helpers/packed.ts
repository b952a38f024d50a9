/**
 * The package as a user has it: packed by npm, unpacked into an empty project together with what it depends on (and with
 * nothing else), its addon as a prebuild: that of `npm run prebuild` where this has run, else one made in the same way.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT } from './child';

export interface Project {
  /** The project that has installed the package. */
  dir: string;
  tarball: string;
  /** Size of the tarball in bytes, and its files. */
  size: number;
  files: string[];
  /** The installed package. */
  installed: string;
}

const RELEASED = path.join(ROOT, 'build/Release/ldm.node');

/** Names of the packages that package-lock.json installs for a user of this package. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([key, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(key) && !dev)
    .map(([key]) => key.slice('node_modules/'.length))
    .filter((name) => fs.existsSync(path.join(ROOT, 'node_modules', name)));
}

/** The stub as `npm run prebuild` compiles it: without a path of this machine. */
function compileStub(file: string, builtFor: string): void {
  const headers = path.join(ROOT, 'node_modules/node-api-headers/include');
  const definitions = ['-DNAPI_VERSION=9', `-DLDM_BUILT_FOR="${builtFor}"`, '-DLDM_BUILT_WITH=""'];
  const source = path.join(ROOT, 'native/preload/preload.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', ...definitions, `-I${headers}`, '-o', file, source, '-ldl']);
}

/** Packs and installs. `builtFor`: the libtorch that this checkout's addon was compiled for. Dispose with `fs.rmSync(dir)`. */
export function installPacked(builtFor: string): Project {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-package-')));
  // dist is there: `npm test` begins with set-up.
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir];
  const [{ filename, size, files }] = JSON.parse(
    execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }),
  );
  const tarball = path.join(dir, filename);
  const modules = path.join(dir, 'node_modules');
  const installed = path.join(modules, 'node-ldm');
  fs.mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', tarball, '--strip-components=1', '-C', installed]);
  for (const name of productionPackages()) {
    fs.mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  }
  const prebuilds = path.join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
  if (!fs.existsSync(prebuilds)) {
    fs.mkdirSync(prebuilds, { recursive: true });
    // Stripped, this is what `npm run prebuild` makes: only the stub differs from that of a clone.
    execFileSync('strip', ['--strip-all', '-o', path.join(prebuilds, 'node-ldm.node'), RELEASED]);
    compileStub(path.join(prebuilds, 'ldm_preload.so'), builtFor);
  }
  return { dir, tarball, size, files: files.map((file: { path: string }) => file.path), installed };
}
