/** How the libraries of libtorch are called on this platform. */

const NAMES: Partial<Record<NodeJS.Platform, (name: string) => string>> = {
  darwin: (name) => `lib${name}.dylib`,
  win32: (name) => `${name}.dll`,
};

/** 'torch' -> 'libtorch.so' (Linux), 'libtorch.dylib' (macOS), 'torch.dll' (Windows). */
export function libraryName(name: 'torch' | 'torch_cpu' | 'c10', platform: NodeJS.Platform = process.platform): string {
  return (NAMES[platform] ?? ((stem: string) => `lib${stem}.so`))(name);
}
