/** `ldm serve`: a web page and an HTTP API for drawing, editing, reconstructing and watching trainings. */
import fs from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_LIMITS, type ServeLimits } from '../../serve/limits';
import { isLoopback } from '../../serve/security';
import { startServer } from '../../serve/server';
import { type CommandDefinition, outputOf } from '../command';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { packageVersion } from '../program';
import { integerFrom } from '../values';

interface ServeFlags {
  models?: string;
  logs?: string[];
  host: string;
  port: number;
  token?: string;
  allowedHost?: string[];
  device: string;
  maxPixels: number;
  maxSteps: number;
  maxBatch: number;
  maxQueue: number;
  maxUpload: number;
}

/** Where trainings go when nothing is said. */
const LOGS = 'logs';

export const serve: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm serve', 'the web demo of the bundled model, on this machine only'],
      ['ldm serve logs/2026-01-31T12-00-00_flowers --port 8080', "with a model of one's own"],
    ]);
    command
      .argument('[models...]', 'log folders, configs or checkpoints (default: the bundled text-to-image model)')
      .option('--models <dir>', 'offer all checkpoints in a folder')
      .option('--logs <dir...>', `folders with logs of trainings to watch (default: ./${LOGS} where it exists)`)
      .option('--port <n>', 'port; 0 takes any that is free', port, 7860)
      .option('--host <address>', 'address to listen on; 0.0.0.0 lets other machines in', '127.0.0.1')
      .option('--token <text>', 'what every request has to bring (also: LDM_TOKEN in the environment)')
      .option('--allowed-host <name...>', 'names beside localhost that requests may ask for, such as that of a proxy')
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .option('--max-pixels <n>', 'pixels of a picture', integerFrom(64), DEFAULT_LIMITS.pixels)
      .option('--max-steps <n>', 'steps of a sampler', integerFrom(1), DEFAULT_LIMITS.steps)
      .option('--max-batch <n>', 'pictures of a request', integerFrom(1), DEFAULT_LIMITS.batch)
      .option('--max-queue <n>', 'waiting requests', integerFrom(1), DEFAULT_LIMITS.queue)
      .option('--max-upload <MB>', 'megabytes of a request', integerFrom(1), DEFAULT_LIMITS.uploadBytes >> 20)
      .action(async (models: string[], flags: ServeFlags) => {
        const output = outputOf(command);
        const token = flags.token ?? process.env.LDM_TOKEN ?? null;
        await interruptible(async (signal) => {
          const server = await startServer({
            models,
            folder: flags.models,
            logs: flags.logs ?? (fs.existsSync(LOGS) ? [LOGS] : []),
            host: flags.host,
            port: flags.port,
            token,
            allowedHosts: flags.allowedHost,
            device: flags.device,
            limits: limitsOf(flags),
            version: packageVersion(),
            onError: (error) => output.warn(error instanceof Error ? (error.stack ?? error.message) : String(error)),
          });
          try {
            output.result({ url: server.url, port: server.port }, () => server.url);
            output.note('Open this address in a browser. Ctrl-C ends the server.');
            if (!isLoopback(flags.host) && token === null)
              output.warn(`Everybody who reaches ${flags.host} can use this server: consider --token.`);
            await aborted(signal);
          } finally {
            await server.close();
          }
        });
      });
  },
};

function port(text: string): number {
  const value = integerFrom(0)(text);
  if (value > 65535) throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  return value;
}

function limitsOf(flags: ServeFlags): Partial<ServeLimits> {
  return {
    pixels: flags.maxPixels,
    steps: flags.maxSteps,
    batch: flags.maxBatch,
    queue: flags.maxQueue,
    uploadBytes: flags.maxUpload * 2 ** 20,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
