// What compiling the addon needs from the machine.
import { SetupFailure } from './failure.mjs';
import { outputOf } from './run.mjs';

const CMAKE_MINIMUM = [3, 18];
const GCC_MINIMUM = 11;
/** All three at once: whoever lacks one often lacks the others. */
const DEBIAN = 'on Debian or Ubuntu: sudo apt-get install g++ cmake make';

function checkCMake() {
  const text = outputOf('cmake', ['--version']);
  const version = /version (\d+)\.(\d+)/.exec(text ?? '');
  const required = `CMake ${CMAKE_MINIMUM.join('.')} or later`;
  const remedy = `${DEBIAN}; elsewhere see https://cmake.org/download`;
  if (!version) throw new SetupFailure({ found: 'no CMake (the command cmake)', required, remedy });
  const [major, minor] = version.slice(1).map(Number);
  if (major < CMAKE_MINIMUM[0] || (major === CMAKE_MINIMUM[0] && minor < CMAKE_MINIMUM[1])) {
    throw new SetupFailure({ found: `CMake ${major}.${minor}`, required, remedy });
  }
}

/** CMake's own choice: $CXX, else the first of these. */
function checkCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  const compiler = candidates.find((command) => outputOf(command, ['--version']) !== undefined);
  const required = `a C++20 compiler, such as GCC ${GCC_MINIMUM} or later`;
  if (!compiler) {
    const found = process.env.CXX
      ? `CXX is ${process.env.CXX}, which cannot be started`
      : `no C++ compiler (looked for ${candidates.join(', ')})`;
    throw new SetupFailure({ found, required, remedy: `${DEBIAN}; or set CXX to a compiler` });
  }
  const isGcc = !/clang/i.test(outputOf(compiler, ['--version']));
  const major = Number.parseInt(outputOf(compiler, ['-dumpversion']) ?? '', 10);
  if (isGcc && major < GCC_MINIMUM) {
    throw new SetupFailure({
      found: `GCC ${major} (${compiler})`,
      required,
      remedy: `install a newer one (on Debian or Ubuntu: sudo apt-get install g++-12) and set CXX to it (CXX=g++-12)`,
    });
  }
}

function checkBuildTool() {
  if (['make', 'ninja'].some((command) => outputOf(command, ['--version']) !== undefined)) return;
  throw new SetupFailure({
    found: 'neither make nor ninja',
    required: 'one of them, for CMake',
    remedy: DEBIAN,
  });
}

/** Throws a SetupFailure that names the first thing that is missing. */
export function checkToolchain() {
  checkCompiler();
  checkCMake();
  checkBuildTool();
}
