import fs from 'node:fs';
import path from 'node:path';
import { temporaryFiles } from '../config/files';
import { runLdm } from './run-ldm';

const write = temporaryFiles();
const KL_F8 = path.join(__dirname, '../../models/first_stage_models/kl-f8/config.yaml');
const SHARED = path.join(__dirname, '../../../shared/golden/checkpoints');
const withShared = fs.existsSync(SHARED) ? describe : describe.skip;

describe('configs', () => {
  test('as text: targets by place', async () => {
    const { code, stdout } = await runLdm('inspect', KL_F8);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model +ldm\.models\.autoencoder\.AutoencoderKL$/m);
    expect(stdout).toMatch(/^lossconfig +ldm\.modules\.losses\.LPIPSWithDiscriminator$/m);
    expect(stdout).toMatch(/^learning rate +4\.5e-6$/m);
  });

  test('as JSON: every option', async () => {
    const { code, stdout, stderr } = await runLdm('inspect', KL_F8, '--json', 'model.params.embed_dim=8');
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'config',
      baseLearningRate: 4.5e-6,
      model: { params: { embed_dim: 8, image_key: 'image', ddconfig: { resamp_with_conv: true } } },
      lightning: { callbacks: { image_logger: { params: { batch_frequency: 750 } } } },
    });
  });

  test('--build counts the parameters', async () => {
    const identity = 'model.params.lossconfig={target: torch.nn.Identity, params: null}';
    const { stdout } = await runLdm('inspect', KL_F8, '--build', '--json', identity);
    expect(JSON.parse(stdout).parameters.total).toBe(83653863);
  });

  test('a typo is one line with the place, exit code 1', async () => {
    const file = write('typo.yaml', fs.readFileSync(KL_F8, 'utf8').replace('embed_dim: 4', 'embed_dim: four'));
    const { code, stdout, stderr } = await runLdm('inspect', file);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /typo\.yaml:\d+:5: model\.params\.embed_dim: expected an integer of at least 1, received "four"/,
    );
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('other files', () => {
  test.each([
    ['/nowhere/model.ckpt', 'no such file'],
    [path.join(__dirname, 'run-ldm.ts'), 'neither a checkpoint'],
  ])('%s is refused in one line', async (file, message) => {
    const { code, stderr } = await runLdm('inspect', file);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('an empty file', async () => {
    const { code, stderr } = await runLdm('inspect', write('empty.ckpt', ''));
    expect(code).toBe(1);
    expect(stderr).toMatch(/ERR_CHECKPOINT/);
  });
});

withShared('checkpoints', () => {
  const manifest = fs.existsSync(SHARED) ? JSON.parse(fs.readFileSync(path.join(SHARED, 'manifest.json'), 'utf8')) : {};
  const good = Object.entries<any>(manifest.good ?? { none: {} });

  test.each(good)('--json --stats of %s are what the manifest says', async (name, expected) => {
    const { code, stdout } = await runLdm('inspect', '--json', '--stats', path.join(SHARED, 'good', name));
    expect(code).toBe(0);
    const found = JSON.parse(stdout);
    expect({ where: found.where, bytes: found.bytes }).toEqual({ where: expected.where, bytes: expected.bytes });
    // Torch files keep the order of the state dict; safetensors files are sorted by whoever writes them.
    const inOrder = (names: string[]) => (found.format === 'safetensors' ? names.sort() : names);
    expect(inOrder(Object.keys(found.tensors))).toEqual(inOrder(Object.keys(expected.tensors)));
    for (const [key, { sum, l1, ...rest }] of Object.entries<any>(expected.tensors)) {
      const tensor = found.tensors[key];
      // -0 is 0 in JSON.
      expect({ ...tensor, sum: undefined, l1: undefined }).toEqual(JSON.parse(JSON.stringify(rest)));
      expect(tensor.l1 === undefined).toBe(l1 === undefined);
      if (l1 !== undefined) expect(tensor.l1).toBeCloseTo(l1, 6);
      for (const [i, part] of [sum].flat().entries()) {
        if (part !== undefined) expect([tensor.sum].flat()[i]).toBeCloseTo(part, 6);
      }
    }
  });

  test('as text', async () => {
    const { stdout } = await runLdm('inspect', path.join(SHARED, 'good', 'zip_default.ckpt'));
    expect(stdout).toMatch(/^format +torch-zip/m);
    expect(stdout).toMatch(/^EMA +yes$/m);
    expect(stdout).toMatch(/^conv +112 in 2 tensors$/m);
  });
});
