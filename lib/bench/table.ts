/** Results as tables: Markdown for the documentation, aligned columns for a terminal. */
import type { BenchReport, BenchResult, PeerKind, PeerResult } from './report';
import type { Spread } from './statistics';

const PEER_NAMES: Record<PeerKind, string> = {
  pytorch: 'PyTorch',
  'pytorch-compile': 'torch.compile',
  'exact-kernels': 'exact kernels',
};

const HEADINGS = [
  'workload',
  'peer',
  'here',
  'there',
  'times as fast (quartiles)',
  'peak memory, here / there',
  'difference',
];

/** One row for each peer of each result. */
function rows(results: readonly BenchResult[]): string[][] {
  return results.flatMap((result) =>
    result.peers.map((peer, i) => [
      i === 0 ? label(result) : '',
      PEER_NAMES[peer.kind],
      seconds(result.ours.seconds.median),
      seconds(peer.seconds.median),
      ratio(peer.ratio),
      `${gigabytes(result.ours.peakRss)} / ${gigabytes(peer.peakRss)} GB`,
      difference(peer),
    ]),
  );
}

function label({ title, precision, size }: BenchResult): string {
  return `${title}${precision === 'fp32' ? '' : `, ${precision}`}${size === 'quick' ? ' (tiny)' : ''}`;
}

function seconds(value: number): string {
  if (value < 0.1) return `${(value * 1000).toPrecision(3)} ms`;
  return `${value < 10 ? value.toFixed(2) : value.toFixed(1)} s`;
}

const ratio = ({ median, q1, q3 }: Spread) => `${median.toFixed(2)} (${q1.toFixed(2)} to ${q3.toFixed(2)})`;
const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
const difference = (peer: PeerResult) => (peer.deviation === 0 ? '0' : peer.deviation.toExponential(0));

/** For a terminal. */
export function textTable(results: readonly BenchResult[]): string {
  const lines = [HEADINGS, ...rows(results)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Sections of the documentation, one for each device and number of threads. */
export function markdown(reports: readonly BenchReport[]): string {
  return reports
    .flatMap((report) =>
      [...new Set(report.results.map(group))].map((key) =>
        section(
          report,
          report.results.filter((r) => group(r) === key),
        ),
      ),
    )
    .join('\n\n');
}

const group = (result: BenchResult) => `${result.threads} ${result.device} ${result.libtorch}`;

function section(report: BenchReport, results: readonly BenchResult[]): string {
  const [{ threads, libtorch }] = results;
  const rounds = [...new Set(results.map((r) => r.rounds))].sort((a, b) => a - b);
  const dates = [...new Set(results.map((r) => r.date))].sort();
  const versions = [...new Set(results.flatMap((r) => r.peers.map((p) => `${PEER_NAMES[p.kind]} ${p.version}`)))];
  const facts = [
    `${report.cpus} processors and ${report.memory} GB`,
    `${threads} thread${threads === 1 ? '' : 's'} each`,
    `libtorch ${libtorch} here`,
    `peers in fp32: ${versions.join(', ')}`,
    `medians of ${rounds.join(' or ')} rounds`,
    dates.join(' to '),
  ];
  const load = Math.max(...results.map((r) => r.load));
  // Both sides are slowed alike, and the ratio is taken round by round; but the times are not those of an idle machine.
  if (load > report.cpus)
    facts.push(`the machine had other work (load average up to ${load.toFixed(0)}), so only the ratios count`);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [HEADINGS, HEADINGS.map(() => '---'), ...rows(results)].map(line);
  return `### ${report.device}\n\n${facts.join('; ')}.\n\n${table.join('\n')}`;
}
