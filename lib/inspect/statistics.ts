/** Sums and first values of a file's tensors, in bounded memory. */
import type { FileTensor } from '../checkpoint';
import type { Tensor } from '../tensor';

/** Statistics of a tensor, as a reader of another language would compute them. */
export interface TensorStats {
  /** Sum of the elements in float64, exact for integers; [real, imaginary] for complex tensors. */
  sum?: number | bigint | [number, number];
  /** Sum of the magnitudes; only of floating-point tensors. */
  l1?: number;
  /** The first (at most five) elements in row-major order; pairs for complex tensors. */
  first?: (number | bigint | boolean | [number, number])[];
}

/** Elements that are cast at a time; bounds the memory that statistics need. */
const PIECE = 1 << 22;
const FIRST = 5;

/** Reads a tensor of a file and sums it up, some rows at a time. */
export async function statisticsOf(t: FileTensor): Promise<TensorStats> {
  if (t.shape.includes(0)) return {};
  const tensor = t.tensor();
  if (t.dtype === 'complex64') return complexStatistics(tensor);
  return t.dtype.includes('float') ? floatStatistics(tensor) : integerStatistics(tensor, t.dtype === 'bool');
}

async function floatStatistics(tensor: Tensor): Promise<TensorStats> {
  let sum = 0;
  let l1 = 0;
  for (const piece of pieces(tensor, 'float64')) {
    using part = piece;
    using total = part.sum();
    using magnitude = part.abs();
    using l1Total = magnitude.sum();
    sum += await total.item();
    l1 += await l1Total.item();
  }
  return { sum, l1, first: [...(await firstValues(tensor, 'float64', FIRST))].map(Number) };
}

/** Integers are added as 64-bit ones, so that no sum is rounded. */
async function integerStatistics(tensor: Tensor, bool: boolean): Promise<TensorStats> {
  let sum = 0n;
  for (const piece of pieces(tensor, 'int64')) {
    using part = piece;
    using total = part.sum();
    sum += ((await total.data()) as BigInt64Array)[0];
  }
  const first = [...(await firstValues(tensor, 'int64', FIRST))].map((v) => (bool ? v !== 0n : exact(BigInt(v))));
  return { sum: exact(sum), first };
}

async function complexStatistics(pairs: Tensor): Promise<TensorStats> {
  const sum: [number, number] = [0, 0];
  for (const piece of pieces(pairs, 'float64')) {
    using part = piece;
    using rows = part.reshape(-1, 2);
    using total = rows.sum(0);
    const [real, imaginary] = (await total.data()) as Float64Array;
    sum[0] += real;
    sum[1] += imaginary;
  }
  const flat = [...(await firstValues(pairs, 'float64', 2 * FIRST))].map(Number);
  const first = Array.from({ length: flat.length / 2 }, (_, i): [number, number] => [flat[2 * i], flat[2 * i + 1]]);
  return { sum, first };
}

/** A number where it is exact, else a bigint. */
function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** The first elements in row-major order. */
async function firstValues(
  tensor: Tensor,
  dtype: 'float64' | 'int64',
  count: number,
): Promise<Float64Array | BigInt64Array> {
  const [head] = pieces(tensor, dtype);
  using part = head;
  using flat = part.reshape(-1);
  using first = flat.slice(0, 0, Math.min(count, part.numel));
  return (await first.data()) as Float64Array | BigInt64Array;
}

/** The tensor in casts of a bounded number of elements, some rows at a time. The caller disposes of them. */
function* pieces(tensor: Tensor, dtype: 'float64' | 'int64'): Generator<Tensor, void, undefined> {
  const rows = tensor.dim ? tensor.shape[0] : 1;
  const step = Math.max(1, Math.floor(PIECE / (tensor.numel / rows)));
  for (let row = 0; row < rows; row += step) {
    if (tensor.dim === 0) {
      yield tensor.to({ dtype });
      continue;
    }
    using part = tensor.slice(0, row, Math.min(row + step, rows));
    yield part.to({ dtype });
  }
}
