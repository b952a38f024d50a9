/**
 * Avatars of the style "Big Smile" (Ashley Seo, CC BY 4.0) with known attributes: what the bundled model learns
 * combinations from. Some pairs of attributes are never shown in training: what it draws for them it cannot have copied.
 */
import { bigSmile } from '@dicebear/collection';
import { createAvatar } from '@dicebear/core';
import { Resvg } from '@resvg/resvg-js';

/** Values of each attribute, with the words for them; an empty text: nothing is said. */
export const ATTRIBUTES = {
  hair: {
    shortHair: 'short hair',
    mohawk: 'mohawk hair',
    wavyBob: 'wavy hair',
    bowlCutHair: 'bowl cut hair',
    curlyBob: 'curly bob hair',
    straightHair: 'long straight hair',
    braids: 'braids hair',
    shavedHead: 'shaved hair',
    bunHair: 'bun hair',
    froBun: 'afro bun hair',
    bangs: 'bangs hair',
    halfShavedHead: 'half shaved hair',
    curlyShortHair: 'curly hair',
  },
  hairColor: {
    '220f00': 'black',
    '71472d': 'brown',
    e2ba87: 'blonde',
    '605de4': 'blue',
    '238d80': 'green',
    d56c0c: 'orange',
    e9b729: 'yellow',
  },
  skinColor: { ffe4c0: 'light skin', c99c62: 'tan skin', '8c5a2b': 'brown skin', '643d19': 'dark skin' },
  eyes: { normal: '', starstruck: 'starstruck eyes', sleepy: 'sleepy eyes', angry: 'angry eyes' },
  mouth: {
    openedSmile: 'big smile',
    unimpressed: 'unimpressed mouth',
    openSad: 'sad mouth',
    teethSmile: 'toothy smile',
    kawaii: 'kawaii mouth',
  },
  accessory: {
    none: '',
    catEars: 'cat ears',
    glasses: 'round glasses',
    sailormoonCrown: 'golden crown',
    clownNose: 'clown nose',
    sleepMask: 'sleep mask',
    sunglasses: 'sunglasses',
    faceMask: 'face mask',
    mustache: 'mustache',
  },
} as const;

export type Attribute = keyof typeof ATTRIBUTES;
/** One value of each attribute. */
export type Avatar = Record<Attribute, string>;

export const ATTRIBUTE_NAMES = Object.keys(ATTRIBUTES) as Attribute[];

/** All values of an attribute. */
export const valuesOf = (attribute: Attribute): string[] => Object.keys(ATTRIBUTES[attribute]);

const word = (avatar: Avatar, attribute: Attribute): string =>
  (ATTRIBUTES[attribute] as Record<string, string>)[avatar[attribute]];

/**
 * "avatar, orange curly hair, light skin, big smile, round glasses".
 * @param leftOut attributes that are not told
 */
export function captionOf(avatar: Avatar, leftOut: ReadonlySet<Attribute> = new Set()): string {
  const hair = [
    leftOut.has('hairColor') ? '' : word(avatar, 'hairColor'),
    leftOut.has('hair') ? '' : word(avatar, 'hair'),
  ];
  const told = hair.filter(Boolean).join(' ');
  const hairText = told && leftOut.has('hair') ? `${told} hair` : told;
  const rest = (['skinColor', 'eyes', 'mouth', 'accessory'] as const)
    .filter((attribute) => !leftOut.has(attribute))
    .map((attribute) => word(avatar, attribute));
  return ['avatar', hairText, ...rest].filter(Boolean).join(', ');
}

/** A PNG file of `size` times `size` pixels on white. */
export function renderAvatar(avatar: Avatar, size: number): Buffer {
  const { accessory, ...rest } = avatar;
  const options = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, [value]]));
  const svg = createAvatar(bigSmile, {
    seed: 'demo',
    ...options,
    accessories: accessory === 'none' ? [] : [accessory as 'glasses'],
    accessoriesProbability: accessory === 'none' ? 0 : 100,
  } as Parameters<typeof createAvatar>[1]).toString();
  return new Resvg(svg, { fitTo: { mode: 'width', value: size }, background: 'white' }).render().asPng();
}

/** Pairs that training never shows: a tenth of hair with accessory and of hair with colour, spread over all values. */
export function isHeldOut({ hair, hairColor, accessory }: Avatar): boolean {
  const [h, c, a] = [
    valuesOf('hair').indexOf(hair),
    valuesOf('hairColor').indexOf(hairColor),
    valuesOf('accessory').indexOf(accessory),
  ];
  return (accessory !== 'none' && (3 * h + a) % 10 === 0) || (2 * h + c) % 11 === 5;
}
