/** Runs code in a Node process of its own: with its own environment, standard streams and exit code. */
import { spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT = path.join(__dirname, '../..');

export interface ChildResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `node args...`. */
export function runNode(
  args: readonly string[],
  options: { env?: Record<string, string | undefined>; cwd?: string } = {},
): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    const child = spawn(process.execPath, args, { env, cwd: options.cwd ?? ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs TypeScript-aware CommonJS code; `lib('x')` requires lib/x. The code prints what the test looks at. */
export function runWithLib(code: string, env: Record<string, string | undefined> = {}): Promise<ChildResult> {
  const prelude = `const lib = (name) => require(${JSON.stringify(`${ROOT}/lib/`)} + name);`;
  return runNode(['--import', 'tsx', '-e', `${prelude}\n${code}`], { env });
}

/** Runs ES module code, such as the scripts are written in. */
export function runModule(code: string, env: Record<string, string | undefined> = {}): Promise<ChildResult> {
  return runNode(['--input-type=module', '-e', code], { env });
}
