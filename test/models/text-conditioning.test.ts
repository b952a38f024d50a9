import { LdmError } from '../../lib/errors';
import { BERTEmbedder, TransformerEmbedder, TransformerWrapper } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { BERTTokenizer } from '../../lib/text';
import { difference } from '../helpers/tiny-autoencoder';
import { tinyLatentDiffusion, tinyUnet } from '../helpers/tiny-diffusion';

const seeded = () => ({ random: new Generator(4) });
const tiny = { n_embed: 16, n_layer: 1, max_seq_len: 6 };
const ids = (...rows: number[][]) =>
  Tensor.from(BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);

describe('BERTEmbedder', () => {
  test('a text is its tokens', async () => {
    using bert = await BERTEmbedder.create(tiny, seeded());
    await bert.eval();
    const c = await bert.encode(['a painting', '']);
    expect(c.shape).toEqual([2, 6, 16]);
    expect(await difference(c, await bert.encode(new BERTTokenizer({ maxLength: 6 }).encode(['a painting', ''])))).toBe(
      0,
    );
    expect(await difference(c.slice(0, 0, 1), await bert.encode('a painting'))).toBeLessThan(1e-5);
  });

  test('without tokenizer it takes tokens only, of any number up to max_seq_len', async () => {
    using bert = await BERTEmbedder.create({ ...tiny, vocab_size: 10, use_tokenizer: false }, seeded());
    expect(bert.tokenizer).toBeNull();
    expect((await bert.encode(ids([1, 9, 3]))).shape).toEqual([1, 3, 16]);
    await expect(bert.encode('text')).rejects.toThrow(/no tokenizer/);
    await expect(bert.encode(ids([1, 2, 3, 4, 5, 6, 7]))).rejects.toThrow(/7 tokens.*positions for 6/);
    await expect(bert.encode(Tensor.zeros([1, 3]))).rejects.toThrow(LdmError);
    await expect(bert.encode(ids([10]))).rejects.toMatchObject({ code: 'ERR_TORCH' });
  });

  test('embedding dropout is active while training only', async () => {
    using bert = await BERTEmbedder.create({ ...tiny, vocab_size: 10, use_tokenizer: false, embedding_dropout: 0.5 });
    const draw = (seed: number) => bert.encode(ids([1, 2, 3]), { random: new Generator(seed) });
    expect(await difference(await draw(1), await draw(2))).toBeGreaterThan(0.01);
    await bert.eval();
    expect(await difference(await draw(1), await draw(2))).toBe(0);
  });

  test('logits are in the state and get no gradient', async () => {
    using bert = await BERTEmbedder.create({ ...tiny, vocab_size: 10, use_tokenizer: false });
    await (await bert.encode(ids([1, 2]))).sum().backward();
    const parameters = await bert.namedParameters();
    expect(await parameters.get('transformer.to_logits.weight')!.grad()).toBeNull();
    expect(await parameters.get('transformer.token_emb.weight')!.grad()).not.toBeNull();
  });
});

test('TransformerEmbedder has the keys of BERTEmbedder', async () => {
  const params = { ...tiny, vocab_size: 10 };
  using a = await TransformerEmbedder.create(params, seeded());
  using b = await BERTEmbedder.create({ ...params, use_tokenizer: false }, seeded());
  expect([...(await a.stateDict()).keys()]).toEqual([...(await b.stateDict()).keys()]);
  expect(await difference(await a.encode(ids([4, 2])), await b.encode(ids([4, 2])))).toBe(0);
});

describe('LatentDiffusion conditioned on texts', () => {
  const model = () =>
    tinyLatentDiffusion({
      unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 16 }),
      cond_stage_config: { target: BERTEmbedder.target, params: tiny },
      cond_stage_key: 'caption',
      use_ema: false,
    } as never);
  const image = () => Tensor.rand([2, 8, 8, 3], { seed: 1 });

  test('texts, tokens and captions of a batch become the same condition', async () => {
    using ldm = await model();
    const texts = ['a red cube', 'two spheres'];
    const c = await ldm.getLearnedConditioning(texts);
    expect(c.shape).toEqual([2, 6, 16]);
    expect(await difference(c, await ldm.getLearnedConditioning(ldm.tokenizer!.encode(texts)))).toBe(0);
    const input = await ldm.getInput({ image: image(), caption: texts }, { forceEncode: true });
    expect(await difference(c, input.c as Tensor)).toBeLessThan(1e-5);
  });

  test('a training step on captions trains the text encoder', async () => {
    using ldm = await model();
    await ldm.train();
    await ldm.configureOptimizers({ learningRate: 0.1 });
    const before = await ldm.getLearnedConditioning('a cube');
    const batch = { image: image(), caption: ['a cube', 'a sphere'] };
    const { log } = await ldm.trainBatch({ batch, batchIdx: 0, globalStep: 0, log: true, step: true, accumulate: 1 });
    expect(log['train/loss']).toBeGreaterThan(0);
    expect(await difference(before, await ldm.getLearnedConditioning('a cube'))).toBeGreaterThan(1e-3);
  });

  test('a model without text encoder refuses texts', async () => {
    using ldm = await tinyLatentDiffusion();
    expect(ldm.tokenizer).toBeNull();
    await expect(ldm.getLearnedConditioning(['text'])).rejects.toThrow(LdmError);
  });
});

describe('TransformerWrapper', () => {
  const wrapper = async (encoder: object = {}, params: object = {}, layers = 'Encoder') => {
    const node = {
      target: `ldm.modules.x_transformer.${layers}`,
      params: { dim: 16, depth: 2, heads: 2, attn_dim_head: 8, ...encoder },
    };
    const all = { num_tokens: 10, max_seq_len: 6, attn_layers: node, ...params };
    const model = await TransformerWrapper.create(all as never, seeded());
    await model.eval();
    return model;
  };
  const tokens = ids([1, 2, 3, 4]);
  const embeddings = async (model: TransformerWrapper, t: Tensor, inputs = {}) =>
    (await model.embeddings(t, inputs)).out;

  test('causal layers do not see later tokens', async () => {
    using plain = await wrapper();
    using causal = await wrapper({ causal: true }, {}, 'AttentionLayers');
    const first = async (m: TransformerWrapper, t: Tensor) => (await embeddings(m, t)).slice(1, 0, 3);
    const other = ids([1, 2, 3, 9]);
    expect(await difference(await first(causal, tokens), await first(causal, other))).toBeLessThan(1e-6);
    expect(await difference(await first(plain, tokens), await first(plain, other))).toBeGreaterThan(1e-3);
  });

  test('a mask hides tokens from those that it shows', async () => {
    using model = await wrapper();
    const mask = Tensor.from(Uint8Array.of(1, 1, 1, 0), [1, 4]);
    const shown = async (t: Tensor) => (await embeddings(model, t, { mask })).slice(1, 0, 3);
    expect(await difference(await shown(tokens), await shown(ids([1, 2, 3, 9])))).toBeLessThan(1e-6);
  });

  test('the plain formula and the fused kernel agree', async () => {
    using model = await wrapper();
    const { out, attn } = await model.embeddings(tokens, { returnAttn: true });
    expect(await difference(out, await embeddings(model, tokens))).toBeLessThan(1e-5);
    expect(attn!.map((w) => w.shape)).toEqual([
      [1, 2, 4, 4],
      [1, 2, 4, 4],
    ]);
    expect(await difference(attn![0].sum(-1), Tensor.ones([1, 2, 4]))).toBeLessThan(1e-6);
  });

  test('with memories a segment sees the one before it', async () => {
    using model = await wrapper({ position_infused_attn: true }, { max_mem_len: 3 });
    const { mems } = await model.embeddings(tokens, { returnMems: true });
    expect(mems!.map((m) => m.shape)).toEqual([
      [1, 3, 16],
      [1, 3, 16],
    ]);
    const alone = await embeddings(model, ids([5, 6]));
    const { out, mems: next } = await model.embeddings(ids([5, 6]), { mems, returnMems: true });
    expect(await difference(out, alone)).toBeGreaterThan(1e-4);
    expect(next![0].shape).toEqual([1, 3, 16]);
    expect(await difference(next![0].slice(1, 0, 1), mems![0].slice(1, 2, 3))).toBe(0);
  });

  test('cross-attention needs a context and depends on it', async () => {
    using model = await wrapper({ cross_attend: true });
    await expect(model.embeddings(tokens)).rejects.toThrow(/needs a context/);
    const context = (seed: number) => Tensor.rand([1, 5, 16], { seed });
    const [a, b] = [
      await embeddings(model, tokens, { context: context(1) }),
      await embeddings(model, tokens, { context: context(2) }),
    ];
    expect(await difference(a, b)).toBeGreaterThan(1e-4);
    const contextMask = Tensor.from(Uint8Array.of(1, 1, 1, 1, 0), [1, 5]);
    const masked = async (last: number) => {
      const changed = Tensor.cat([context(1).slice(1, 0, 4), Tensor.full([1, 1, 16], last)], 1);
      return embeddings(model, tokens, { context: changed, contextMask });
    };
    expect(await difference(await masked(0), await masked(5))).toBeLessThan(1e-6);
  });

  test.each([
    ['macaron', { macaron: true }, 6, 'attn_layers.layers.0.1.fn.net.0.0.weight'],
    ['rezero', { use_rezero: true }, 4, 'attn_layers.layers.0.1.g'],
    ['sandwich', { sandwich_coef: 1 }, 4, 'attn_layers.layers.1.1.to_q.weight'],
    ['par', { par_ratio: 3, depth: 6 }, 12, 'attn_layers.layers.11.1.net.0.0.weight'],
    ['custom', { custom_layers: ['f', 'a', 'f'] }, 3, 'attn_layers.layers.1.1.to_q.weight'],
  ])('%s layers', async (_, encoder, count, key) => {
    using model = await wrapper(encoder);
    const keys = [...(await model.stateDict()).keys()];
    const layers = new Set(keys.map((k) => /layers\.(\d+)\./.exec(k)?.[1]).filter(Boolean));
    expect(layers.size).toBe(count);
    expect(keys).toContain(key);
    expect(Number.isFinite(await (await embeddings(model, tokens)).sum().item())).toBe(true);
  });

  test('a fresh rezero encoder lets attention add nothing', async () => {
    using model = await wrapper({ use_rezero: true, custom_layers: ['a'] });
    using other = await wrapper({ use_rezero: true, custom_layers: ['a', 'a'] });
    await other.loadStateDict(await model.stateDict(), { strict: false });
    expect(await difference(await embeddings(model, tokens), await embeddings(other, tokens))).toBe(0);
  });

  test('tied logits go through the embedding', async () => {
    using model = await wrapper({}, { tie_embedding: true });
    const keys = [...(await model.stateDict()).keys()];
    expect(keys).not.toContain('to_logits.weight');
    const weight = (await model.stateDict()).get('token_emb.weight')!;
    const expected = (await embeddings(model, tokens)).matmul(weight.permute(1, 0));
    expect(await difference((await model.forward(tokens)).out, expected)).toBeLessThan(1e-6);
  });

  test.each([
    ['an unknown option', { attn_heads: 2 }],
    ['a ratio beyond the layers', { par_ratio: 9 }],
    ['a sandwich deeper than the encoder', { sandwich_coef: 3 }],
  ])('%s is refused', async (_, encoder) => {
    await expect(wrapper(encoder)).rejects.toThrow(LdmError);
  });
});
