import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runLdm } from './run-ldm';

test('--list names the workloads, --only picks', async () => {
  const { stdout } = await runLdm('bench', '--list', '--json', '--only', 'demo-*', 'start-up');
  expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toEqual([
    'demo-autoencoder-training',
    'demo-diffusion-training',
    'demo-ddim-50',
    'start-up',
  ]);
});

test.each([
  [['--only', 'kl-f9'], 2, /There is no workload kl-f9/],
  [['--rounds', '4'], 2, /at least 5/],
  [['--precision', 'fp8'], 2, /fp32, bf16/],
  [['--device', 'cuda:7'], 1, /There is no device cuda:7\. There are: cpu/],
  [['--python', '/nowhere/python', '--only', 'start-up'], 1, /\/nowhere\/python cannot import torch/],
])('%j is refused', async (args, code, message) => {
  expect(await runLdm('bench', ...args)).toMatchObject({ code, stderr: expect.stringMatching(message) });
});

test('without PyTorch the peer is this library with exact kernels', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-bench-test-'));
  const { PATH } = process.env;
  // A python3 that is none: whether this machine has PyTorch must not matter.
  fs.writeFileSync(path.join(folder, 'python3'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  process.env.PATH = `${folder}${path.delimiter}${PATH}`;
  try {
    const file = path.join(folder, 'results.json');
    const args = ['--quick', '--only', 'kl-f8-decode-256', 'checkpoint-load', '--threads', '1', '--json', '-o', file];
    const { code, stdout } = await runLdm('bench', ...args);
    expect(code).toBe(0);
    const { results, failures } = JSON.parse(stdout);
    expect(failures).toEqual([]);
    expect(results).toHaveLength(2);
    for (const { ours, peers, threads, rounds, loopDelay } of results) {
      expect({ threads, rounds, kind: peers[0].kind }).toEqual({ threads: 1, rounds: 5, kind: 'exact-kernels' });
      expect(ours.seconds.median).toBeGreaterThan(0);
      expect(ours.seconds.q1).toBeLessThanOrEqual(ours.seconds.median);
      expect(ours.peakRss).toBeGreaterThan(50e6);
      expect(peers[0].ratio.median).toBeGreaterThan(0);
      expect(peers[0].deviation).toBeLessThan(1e-4);
      expect(loopDelay).toBeGreaterThan(0);
    }
    expect(JSON.parse(fs.readFileSync(file, 'utf8')).results).toHaveLength(2);
  } finally {
    process.env.PATH = PATH;
    fs.rmSync(folder, { recursive: true });
  }
});
