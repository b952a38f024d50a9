/** Blocks of large tensors, which are kept between uses. */
import { Generator, Tensor } from '../../lib';
import { runWithLib } from '../helpers/child';

test('blocks that are taken and given back in any order never overlap', async () => {
  const random = new Generator(1);
  using draws = Tensor.rand([400, 3], { random });
  const numbers = (await draws.data()) as Float32Array;
  const living: { tensor: Tensor; value: number }[] = [];
  const check = async ({ tensor, value }: (typeof living)[number]) => {
    expect(((await tensor.data()) as Float32Array).findIndex((v) => v !== value)).toBe(-1);
  };
  for (let i = 0; i < 400; i++) {
    const [size, choice, place] = numbers.subarray(3 * i);
    if (living.length > 4 && choice < 0.5) {
      const [gone] = living.splice(Math.floor(place * living.length), 1);
      await check(gone);
      gone.tensor.dispose();
    } else {
      // 4 KB to 8 MB: below and above what comes from the C library
      living.push({ tensor: Tensor.full([Math.floor(2 ** (10 + 11 * size))], i), value: i });
    }
  }
  for (const one of living) await check(one);
  for (const { tensor } of living) tensor.dispose();
});

const CODE = `
  const { Tensor } = lib('index');
  const megabytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  (async () => {
    await Tensor.ones([1]).ready();
    const before = megabytes();
    const large = Tensor.ones([64, 1024, 1024]);
    await large.ready();
    const during = megabytes();
    large.dispose();
    await pause(500);
    const after = megabytes();
    for (let i = 0; i < 50 && megabytes() - before >= 50; i++) await pause(500);
    console.log(JSON.stringify([during - before, after - before, megabytes() - before]));
  })();`;

test.each([
  ['kept for a while, then given back', undefined, 200],
  ['given back at once with LDM_KEEP_MEMORY=0', '0', 0],
])('what a tensor of 256 MB leaves is %s', async (_, LDM_KEEP_MEMORY, kept) => {
  const { stdout, stderr } = await runWithLib(CODE, { LDM_KEEP_MEMORY });
  expect(stderr).toBe('');
  const [during, after, late] = JSON.parse(stdout) as number[];
  expect(during).toBeGreaterThan(200);
  expect(after).toBeGreaterThanOrEqual(kept);
  expect(after).toBeLessThan(kept + 100);
  expect(late).toBeLessThan(50);
});
