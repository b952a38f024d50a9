/** Files that look like a libtorch to set-up, which only looks at names and headers. */
export function fakeLibtorch(version: string, variant = 'cpu'): Record<string, string> {
  const [major, minor, patch] = version.split('.');
  return {
    'lib/libtorch.so': 'fake',
    'lib/libtorch_cpu.so': 'fake',
    'lib/libc10.so': 'fake',
    'include/ATen/ATen.h': '',
    'include/torch/headeronly/version.h': [
      `#define TORCH_VERSION_MAJOR ${major}`,
      `#define TORCH_VERSION_MINOR ${minor}`,
      `#define TORCH_VERSION_PATCH ${patch}`,
    ].join('\n'),
    'build-version': `${version}+${variant}\n`,
  };
}
