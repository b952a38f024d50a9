import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { commands } from '../../lib/cli/commands';
import { temporary } from '../training/tiny';
import { runLdm } from './run-ldm';

const folder = temporary();
afterAll(() => fs.rmSync(folder, { recursive: true }));

const script = async (shell: string) => {
  const { code, stdout } = await runLdm('completion', shell);
  expect(code).toBe(0);
  const file = path.join(folder, shell);
  fs.writeFileSync(file, stdout);
  return { file, text: stdout };
};

describe('bash', () => {
  let file: string;
  beforeAll(async () => {
    ({ file } = await script('bash'));
  });
  /** What bash offers behind these words. */
  const offered = (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const program = `source '${file}'; COMP_WORDS=(ldm ${line}); COMP_CWORD=${words.length}; _ldm; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = execFileSync('bash', ['-c', program], { encoding: 'utf8' });
    return found.split('\n').filter((word) => word !== '');
  };

  it('completes commands, options and their values', () => {
    expect(offered('')).toEqual(expect.arrayContaining(commands.map(({ name }) => name)));
    expect(offered('eva')).toEqual(['evaluate']);
    expect(offered('evaluate', '--fid-')).toEqual(['--fid-protocol']);
    expect(offered('evaluate', '--fid-protocol', '')).toEqual(['torch-fidelity', 'pytorch-fid']);
    expect(offered('download', '')).toEqual(['lpips', 'inception', 'clip']);
    expect(offered('train', '--max_st')).toEqual(['--max_steps']);
  });

  it('leaves files to bash', () => {
    expect(offered('evaluate', '')).toEqual([]);
    expect(offered('evaluate', '--inception', '')).toEqual([]);
  });
});

// Where fish is, it is asked what it would offer.
test('fish completes commands, options, their values and files', async () => {
  const { file } = await script('fish');
  const offered = (line: string) => {
    const { error, stdout } = spawnSync('fish', ['-c', `source '${file}'; complete -C '${line}'`], {
      encoding: 'utf8',
    });
    if (error) return undefined;
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((text) => text.split('\t')[0]);
  };
  if (offered('ldm ') === undefined) return;
  expect(offered('ldm eva')).toEqual(['evaluate']);
  expect(offered('ldm evaluate --fid-')).toEqual(['--fid-protocol']);
  expect(offered('ldm evaluate --fid-protocol ')).toEqual(['pytorch-fid', 'torch-fidelity']);
  expect(offered('ldm download ')).toEqual(['clip', 'inception', 'lpips']);
  expect(offered('ldm evaluate READ')).toEqual(['README.md']);
});

// Where these shells are, they read their scripts.
test.each(['zsh', 'fish'])('%s: every command with its explanation', async (shell) => {
  const { file, text } = await script(shell);
  for (const { name } of commands) expect(text).toMatch(new RegExp(`(a |')${name}\\b`));
  expect(text).toContain('torch-fidelity pytorch-fid');
  const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
  if (!checked.error) expect([checked.status, checked.stderr]).toEqual([0, '']);
});

test('--json has the script, and another shell is refused', async () => {
  expect(JSON.parse((await runLdm('completion', 'fish', '--json')).stdout).script).toMatch(/^# fish completion/);
  expect((await runLdm('completion', 'cmd')).code).toBe(2);
});
