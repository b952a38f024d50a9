/** Classes as people name them: by label, by name, by one of several names of ImageNet's. */
import { imageNetClasses } from '../data/imagenet-classes';
import { UsageError } from './errors';

export interface ChosenClass {
  label: number;
  name: string;
}

/** How many labels ImageNet's models have: all classes, and in cin256-v2 one more that stands for any. */
const IMAGENET = 1000;

/** Whether a model with so many labels is taken for one of ImageNet's. */
export function isImageNet(count: number): boolean {
  return count === IMAGENET || count === IMAGENET + 1;
}

/** Names of a model's classes: those that it was trained with, else ImageNet's where the number fits, else none. */
export function classNames(trained: readonly string[], count: number): readonly string[] {
  if (trained.length > 0 || !isImageNet(count)) return trained;
  return imageNetClasses().map(({ label }) => label);
}

/** The first of several names. */
export function shortName(name: string): string {
  return name.split(',')[0];
}

/**
 * The classes that words stand for.
 * @throws UsageError for a word that is no class, or several
 */
export function chooseClasses(words: readonly string[], names: readonly string[], count: number): ChosenClass[] {
  return words.map((word) => {
    const label = labelOf(word, names);
    if (label === undefined || label >= count)
      throw new UsageError(`Unknown class '${word}'. ${known(word, names, count)}`);
    return { label, name: shortName(names[label] ?? `class ${label}`) };
  });
}

function labelOf(word: string, names: readonly string[]): number | undefined {
  if (/^\d+$/.test(word) && !names.includes(word)) return Number(word);
  const wanted = word.toLowerCase();
  const all = [...names.keys()];
  const exact = all.filter((i) => names[i] === word);
  const found = exact.length > 0 ? exact : all.filter((i) => namesIn(names[i]).includes(wanted));
  if (found.length > 1) {
    const each = found.map((i) => `${i} (${names[i]})`);
    throw new UsageError(`There are ${found.length} classes '${word}': choose one by its label, ${each.join(' or ')}.`);
  }
  return found[0];
}

function namesIn(name: string): string[] {
  return name.toLowerCase().split(', ');
}

/** What there is, or what the word may have meant. */
function known(word: string, names: readonly string[], count: number): string {
  if (names.length === 0) return `Known: 0 to ${count - 1}.`;
  if (names.length <= 40) return `Known: ${names.join(', ')}.`;
  const similar = [...names.keys()].filter((i) => names[i].toLowerCase().includes(word.toLowerCase())).slice(0, 8);
  if (similar.length === 0) return `Known: labels 0 to ${count - 1} and their names, such as '${shortName(names[0])}'.`;
  return `Similar: ${similar.map((i) => `${shortName(names[i])} (${i})`).join(', ')}.`;
}
