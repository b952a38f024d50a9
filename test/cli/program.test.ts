import { commands } from '../../lib/cli/commands';
import { packageVersion } from '../../lib/cli/program';
import { runLdm } from './run-ldm';

test('help names every command and comes without the commands’ files', async () => {
  const { code, stdout } = await runLdm('--help');
  expect(code).toBe(0);
  for (const { name } of commands) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
});

test('no arguments: the help', async () => {
  expect((await runLdm()).stdout).toMatch(/^Usage: ldm/);
});

test('version', async () => {
  expect(await runLdm('--version')).toMatchObject({ code: 0, stdout: `${packageVersion()}\n` });
});

test.each(commands.map(({ name }) => name))('%s explains itself, with --json and --quiet', async (name) => {
  const { code, stdout } = await runLdm(name, '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/--json/);
  expect(stdout).toMatch(/--quiet/);
  expect((await runLdm('help', name)).stdout).toBe(stdout);
});

test.each([
  [['doktor'], /unknown command 'doktor'[\s\S]*doctor/],
  [['doctor', '--nope'], /unknown option '--nope'/],
  [['inspect'], /missing required argument 'file'/],
  [['inspect', 'x.yaml', '--stats'], /--stats is for checkpoints/],
  [['inspect', 'x.ckpt', '--no-build'], /--no-build is for configs/],
  [['inspect', 'x.ckpt', 'a=1'], /"a=1" is an override, but x\.ckpt is no config/],
])('wrong usage %j ends with exit code 2', async (args, message) => {
  const { code, stdout, stderr } = await runLdm(...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
});
