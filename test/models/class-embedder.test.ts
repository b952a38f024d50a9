import { ClassEmbedder } from '../../lib/models/class-embedder';
import { Tensor } from '../../lib/tensor';

const labels = Tensor.from(BigInt64Array.of(3n, 0n, 3n));

test('each label gives its row as one token', async () => {
  using embedder = await ClassEmbedder.create({ embed_dim: 4, n_classes: 5 });
  const state = await embedder.stateDict();
  expect([...state.keys()]).toEqual(['embedding.weight']);
  const rows = await state.get('embedding.weight')!.toArray();
  const c = await embedder.encode(labels);
  expect(c.shape).toEqual([3, 1, 4]);
  expect(await c.toArray()).toEqual([[rows[3]], [rows[0]], [rows[3]]]);
});

test('labels are taken from a batch by their key', async () => {
  using embedder = await ClassEmbedder.create({ embed_dim: 4, n_classes: 5, key: 'class_label' });
  const c = await embedder.encode({ class_label: labels, image: Tensor.zeros([3, 2]) });
  expect(await c.toArray()).toEqual(await (await embedder.encode(labels)).toArray());
  await expect(embedder.encode({ class: labels })).rejects.toThrow(/class_label/);
});

test('labels of another shape or out of range are refused', async () => {
  using embedder = await ClassEmbedder.create({ embed_dim: 4, n_classes: 5 });
  await expect(embedder.encode(labels.reshape(3, 1))).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
  );
  await expect(embedder.encode(Tensor.from(BigInt64Array.of(5n)))).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_TORCH' }),
  );
});
