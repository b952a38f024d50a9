/** Good files of every format, from which the mutated ones are made. */
import fs from 'node:fs';
import path from 'node:path';
import yauzl from 'yauzl';
import { DATA, statePickle, tensor } from '../checkpoint/torch-file';
import { type LegacyModel, legacyModel } from './mutate/legacy';
import { type SafetensorsModel, safetensorsModel } from './mutate/safetensors';
import { type ZipModel, zipModel } from './mutate/zip';

const SAMPLES = path.join(__dirname, '../checkpoint/samples');

export interface Corpus {
  zips: ZipModel[];
  legacies: LegacyModel[];
  safetensors: SafetensorsModel[];
}

export async function readCorpus(): Promise<Corpus> {
  const zips = [
    zipModel([
      ['archive/data.pkl', statePickle(tensor())],
      ['archive/data/0', DATA],
      ['archive/version', Buffer.from('3\n')],
    ]),
    zipModel([
      ['a/data.pkl', statePickle(tensor())],
      ['a/byteorder', Buffer.from('big')],
      ['a/data/0', DATA],
    ]),
  ];
  const legacies: LegacyModel[] = [];
  const safetensors: SafetensorsModel[] = [];
  for (const name of fs.readdirSync(SAMPLES).sort()) {
    if (name === 'manifest.json') continue;
    const data = fs.readFileSync(path.join(SAMPLES, name));
    if (data.readUInt32BE() === 0x504b0304) zips.push(zipModel(await entriesOf(data), name.includes('deflated')));
    else if (name.endsWith('.safetensors')) safetensors.push(safetensorsModel(data));
    else legacies.push(legacyModel(data));
  }
  return { zips, legacies, safetensors };
}

async function entriesOf(data: Buffer): Promise<[string, Buffer][]> {
  const zip = await yauzl.fromBufferPromise(data, { lazyEntries: true });
  const files: [string, Buffer][] = [];
  for await (const entry of zip.eachEntry()) {
    const parts: Buffer[] = [];
    for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Buffer);
    files.push([entry.fileName, Buffer.concat(parts)]);
  }
  return files;
}
