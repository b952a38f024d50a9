/** The `ldm` program: knows the names of all commands, loads only the one that is called. */
import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { commands } from './commands';

/** The version in package.json. */
export function packageVersion(): string {
  const file = path.join(__dirname, '..', '..', 'package.json');
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version;
}

/**
 * The program for some arguments. Errors of usage are thrown as CommanderError after their message has been printed.
 * @param args without the name of the program
 */
export function createProgram(args: readonly string[]): Promise<Command> {
  const called = commandName(args);
  return programWith((name) => name === called);
}

/** The program with the arguments and options of every command, for completion and documentation. Nothing is run. */
export function createFullProgram(): Promise<Command> {
  return programWith(() => true);
}

/** @param isLoaded which commands get their arguments and options */
async function programWith(isLoaded: (name: string) => boolean): Promise<Command> {
  const program = new Command('ldm')
    .description('CompVis latent diffusion: train, sample and inspect, without Python')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(ldm --help lists the commands)')
    .exitOverride();
  for (const entry of commands) {
    const command = program.command(entry.name).description(entry.summary).exitOverride();
    if (!isLoaded(entry.name)) continue;
    command
      .option('--json', 'print the result as JSON')
      .option('-q, --quiet', 'print no notes and no progress')
      .showHelpAfterError(`(ldm ${entry.name} --help explains)`);
    (await entry.load()).configure(command);
  }
  return program;
}

/** The command that the arguments name: the first that is no option, or the one behind `help`. */
function commandName(args: readonly string[]): string | undefined {
  const words = args.filter((arg) => !arg.startsWith('-'));
  return words[0] === 'help' ? words[1] : words[0];
}
