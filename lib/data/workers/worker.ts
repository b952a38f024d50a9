/** A worker thread of the data loader: runs preprocessors and hands their arrays over without copying. */
import { parentPort } from 'node:worker_threads';
import { LdmError } from '../../errors';
import { preprocessorNamed } from '../preprocess';
import type { Preprocessed } from '../preprocess/preprocessor';
import { DataRandom } from '../random';
import type { Answer, Request } from './messages';

const port = parentPort!;

async function run({ name, args, key }: Request): Promise<Preprocessed> {
  return preprocessorNamed(name).run(args, new DataRandom(...key));
}

port.on('message', (request: Request) => {
  run(request).then(
    (result) => answer({ id: request.id, result }, result),
    (error: Error) => answer({ id: request.id, error: { code: codeOf(error), message: error.message } }),
  );
});

function codeOf(error: Error): string {
  return LdmError.is(error) ? error.code : 'ERR_DATA';
}

function answer(message: Answer, result?: Preprocessed): void {
  // Small arrays may share a buffer of Node's pool, which cannot be handed over.
  const whole = Object.values(result?.arrays ?? {}).filter(({ data }) => data.byteLength === data.buffer.byteLength);
  port.postMessage(message, [...new Set(whole.map(({ data }) => data.buffer as ArrayBuffer))]);
}
