/** A short run of the fuzzer; `npm run fuzz -- --runs 200000` is a long one. */
import { runCampaign } from './campaign';
import { readCorpus } from './corpus';
import { makeInput } from './input';

test('the input of a seed and a number is always the same', async () => {
  const [one, two] = [await readCorpus(), await readCorpus()];
  for (let i = 0; i < 40; i++) expect(makeInput(one, 5, i)).toEqual(makeInput(two, 5, i));
  expect(makeInput(one, 5, 1).data).not.toEqual(makeInput(one, 6, 1).data);
});

test('mutated files are read or refused: no crash, hang, other error or large allocation', async () => {
  const { runs, formats, findings } = await runCampaign({ runs: 3000, seed: 2024 });
  expect(findings).toEqual([]);
  expect(runs).toBe(3000);
  for (const format of ['pickle', 'zip', 'legacy', 'safetensors']) {
    expect(formats[format].inputs).toBe(750);
    // mutations that nothing survives, or that nothing is refused for, would find little
    expect(formats[format].read).toBeGreaterThan(10);
    expect(formats[format].refused).toBeGreaterThan(100);
  }
});
