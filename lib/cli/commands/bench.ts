/** `ldm bench`: how fast this machine is, beside PyTorch where a Python has it. */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { runBench } from '../../bench/bench';
import { type BenchReport, emptyReport, reportFile, saveReport } from '../../bench/report';
import { textTable } from '../../bench/table';
import type { BenchPrecision } from '../../bench/workload';
import { workloads } from '../../bench/workloads';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT, UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { integerFrom } from '../values';

interface BenchFlags {
  list?: boolean;
  only?: string[];
  rounds: number;
  threads?: number;
  device: string;
  precision: BenchPrecision[];
  python?: string;
  compile?: boolean;
  quick?: boolean;
  output?: string;
}

export const bench: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm bench --list', 'what can be measured'],
      ['ldm bench --only kl-f8-encode --rounds 5 --threads 1', 'some of it'],
    ]);
    command
      .option('--list', 'list the workloads')
      .option('--only <names...>', "only these workloads; 'kl-f8-*' is all that begin so")
      .option('--rounds <n>', 'measured rounds', atLeastFive, 5)
      .option('--threads <n>', 'threads of each side (default: all processors)', integerFrom(1))
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .addOption(
        new Option('--precision <types...>', 'number formats of our side; peers compute in fp32')
          .choices(['fp32', 'bf16'])
          .default(['fp32'], 'fp32'),
      )
      .option('--python <program>', 'a Python with torch to compare with (default: python3 where it has torch)')
      .option('--compile', 'also compare with torch.compile')
      .option('--quick', 'tiny networks, to see whether everything runs; the figures mean nothing')
      .option('-o, --output <path>', 'add the results to this JSON file, or to a folder under the name of the device')
      .addHelpText(
        'after',
        '\nBoth sides run in turns, in a process each, with the same weights; their outputs are compared. Without PyTorch\nthe peer is this library with exact kernels (LDM_KERNELS=exact).',
      )
      .action(async (flags: BenchFlags) => {
        const output = outputOf(command);
        const chosen = chooseWorkloads(flags.only);
        if (flags.list) {
          const listed = chosen.map(({ name, title, precisions = ['fp32'] }) => ({ name, title, precisions }));
          const width = Math.max(...listed.map(({ name }) => name.length));
          output.result(listed, () => listed.map((w) => `${w.name.padEnd(width)}  ${w.title}`).join('\n'));
          return;
        }
        const file = flags.output && fileFor(flags.output, flags.device);
        const done: BenchReport = emptyReport(flags.device);
        const failures: { workload: string; precision: string; message: string }[] = [];
        await interruptible((signal) =>
          runBench({
            workloads: chosen,
            precisions: flags.precision,
            size: flags.quick ? 'quick' : 'full',
            rounds: flags.rounds,
            threads: flags.threads,
            device: flags.device,
            python: flags.python,
            compile: flags.compile,
            signal,
            onResult: (result) => {
              done.results.push(result);
              // At once, because a later workload may be interrupted.
              if (file) saveReport(file, done);
              output.note(textTable([result]).split('\n').slice(1).join('\n'));
            },
            onFailure: (workload, precision, error) => {
              failures.push({ workload: workload.name, precision, message: (error as Error).message });
              output.warn((error as Error).message);
            },
          }),
        );
        output.result({ ...done, failures }, () => textTable(done.results));
        if (failures.length > 0) process.exitCode = EXIT.failure;
      });
  },
};

/** Fewer rounds tell nothing about how much the figures spread. */
function atLeastFive(text: string): number {
  const rounds = integerFrom(5)(text);
  if (rounds > 1000) throw new InvalidArgumentError('Expected at most 1000.');
  return rounds;
}

function chooseWorkloads(patterns: readonly string[] | undefined) {
  if (!patterns) return workloads;
  const matches = (pattern: string, name: string) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  const odd = patterns.find((pattern) => !workloads.some(({ name }) => matches(pattern, name)));
  if (odd !== undefined) throw new UsageError(`There is no workload ${odd}: see ldm bench --list.`);
  return workloads.filter(({ name }) => patterns.some((pattern) => matches(pattern, name)));
}

function fileFor(output: string, device: string): string {
  const isFolder = output.endsWith(path.sep) || (fs.existsSync(output) && fs.statSync(output).isDirectory());
  return isFolder ? path.join(output, reportFile(emptyReport(device).device)) : output;
}
