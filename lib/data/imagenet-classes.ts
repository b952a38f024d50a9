/** The 1000 classes of ImageNet (ILSVRC2012) in the order of the class labels: tables of the reference's folder data. */
import fs from 'node:fs';
import path from 'node:path';

const FOLDER = path.join(__dirname, '../../models/imagenet');

export interface ImageNetClass {
  /** WordNet id, such as n01440764; the name of the folder of its images. */
  synset: string;
  /** Its names, such as 'tench, Tinca tinca'. */
  label: string;
}

let classes: readonly ImageNetClass[] | undefined;

/** All classes; the index is the label. */
export function imageNetClasses(): readonly ImageNetClass[] {
  classes ??= readClasses();
  return classes;
}

function readClasses(): ImageNetClass[] {
  const synsets = [...parseIndexSynset(fs.readFileSync(path.join(FOLDER, 'index_synset.txt'), 'utf8'))];
  const names = fs.readFileSync(path.join(FOLDER, 'clsidx_to_label.txt'), 'utf8');
  const labels = new Map(
    [...names.matchAll(/^\s*(\d+): (['"])(.*)\2,?$/gm)].map(([, index, , label]) => [Number(index), label]),
  );
  return synsets.sort(([a], [b]) => a - b).map(([index, synset]) => ({ synset, label: labels.get(index) ?? synset }));
}

/** Lines `index: synset`. */
export function parseIndexSynset(text: string): Map<number, string> {
  return new Map([...text.matchAll(/^\s*(\d+):\s*(\S+)/gm)].map(([, index, synset]) => [Number(index), synset]));
}
