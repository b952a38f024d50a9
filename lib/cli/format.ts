/** Sizes and counts as people read them. */

/** 83_653_863 as '83,653,863 (83.7 M)'. */
export function formatCount(count: number): string {
  const exact = count.toLocaleString('en-US');
  if (count >= 1e9) return `${exact} (${(count / 1e9).toFixed(2)} G)`;
  return count >= 1e6 ? `${exact} (${(count / 1e6).toFixed(1)} M)` : exact;
}

/** Bytes as '5.4 kB' or '335 MB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}
