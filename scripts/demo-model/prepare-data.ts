/**
 * First stage of the bundled model: pictures with captions from npm packages, without a download.
 *
 *     tsx scripts/demo-model/prepare-data.ts [--out data/demo-model] [--size 64] [--avatars 16000] [--seed 1]
 *
 * Writes OUT/train, OUT/train-mix (all emoji and 5000 of the avatars), OUT/train-plain (the same captions, every emoji as it is)
 * and OUT/heldout (captions.jsonl beside the pictures, as node_ldm.data.ImageFolder reads them). Fluent 3D emoji (Microsoft,
 * MIT) come six times each, slightly moved and scaled and half of them mirrored; flags and skin tones are left out. One emoji
 * in 25 is held out whole, and so are the pairs of attributes of `isHeldOut`.
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { picturedEmoji } from '../../lib/data/fluent-emoji';
import { ATTRIBUTE_NAMES, type Attribute, type Avatar, captionOf, isHeldOut, renderAvatar, valuesOf } from './avatars';
import { SeededRandom } from './seeded-random';

const { values: args } = parseArgs({
  options: {
    out: { type: 'string', default: 'data/demo-model' },
    size: { type: 'string', default: '64' },
    avatars: { type: 'string', default: '16000' },
    seed: { type: 'string', default: '1' },
  },
});
const size = Number(args.size);
const random = new SeededRandom(Number(args.seed));

type Line = { file_name: string; text: string };

/** How many pictures each emoji becomes. */
const VARIANTS = 6;
/** Avatars in train-mix. */
const MIXED_AVATARS = 5000;
/** How often train-plain has the captions of the emoji. */
const PLAIN_REPEATS = 3;
/** Group numbers of emojibase. */
const [SYMBOLS, FLAGS] = [8, 9];

async function emoji(folder: string, held: boolean): Promise<Line[]> {
  const entries = picturedEmoji()
    .filter(({ group }) => group !== undefined && group !== FLAGS)
    .filter((_, i) => (i % 25 === 12) === held);
  const lines: Line[] = [];
  for (const { label, tags = [], group, file, name: own } of entries) {
    for (let i = 0; i < (held ? 1 : VARIANTS); i++) {
      const name = `emoji/${path.parse(own).name}-${i}.png`;
      // The first is the emoji as it is.
      const side = i === 0 ? size : Math.round(size * random.between(0.82, 1));
      const [x, y] = [0, 1].map(() => Math.floor(random.between(0, size - side + 1)));
      const picture = sharp(file).flatten({ background: 'white' }).resize(side, side);
      if (i % 2 === 1 && group !== SYMBOLS) picture.flop();
      await picture
        .extend({ left: x, right: size - side - x, top: y, bottom: size - side - y, background: 'white' })
        .png()
        .toFile(path.join(folder, name));
      const keywords = i < 2 ? [] : random.pick(tags, Math.min(tags.length, i - 1));
      lines.push({ file_name: name, text: [label, ...keywords].join(', ').toLowerCase() });
    }
  }
  return lines;
}

/** Usual values are more frequent than one in as many as there are. */
function randomAvatar(): Avatar {
  const avatar = Object.fromEntries(ATTRIBUTE_NAMES.map((a) => [a, random.pick(valuesOf(a), 1)[0]])) as Avatar;
  if (random.uniform() < 0.4) avatar.eyes = 'normal';
  if (random.uniform() < 0.25) avatar.accessory = 'none';
  return avatar;
}

function avatars(folder: string, count: number, held: boolean): Line[] {
  const lines: Line[] = [];
  while (lines.length < count) {
    const avatar = randomAvatar();
    if (isHeldOut(avatar) !== held) continue;
    const name = `avatar/${String(lines.length).padStart(5, '0')}.png`;
    fs.writeFileSync(path.join(folder, name), renderAvatar(avatar, size));
    // Short prompts must work too: one caption in three leaves something out.
    const leftOut = new Set<Attribute>(
      !held && random.uniform() < 1 / 3 ? ATTRIBUTE_NAMES.filter(() => random.uniform() < 0.4) : [],
    );
    lines.push({ file_name: name, text: captionOf(avatar, leftOut) });
  }
  return lines;
}

/**
 * Links to all emoji and to a part of the avatars: there are more emoji to learn, so later training sees more of them. The
 * plain mix shows the first variant of an emoji for each of its captions, and has them three times.
 */
function mix(target: string, source: string, lines: readonly Line[], plain: boolean): void {
  fs.rmSync(target, { recursive: true, force: true });
  for (const kind of ['emoji', 'avatar']) fs.mkdirSync(path.join(target, kind), { recursive: true });
  let avatars = 0;
  const mixed = lines.filter(({ file_name }) => !file_name.startsWith('avatar/') || avatars++ < MIXED_AVATARS);
  const some = plain ? plainly(mixed) : mixed;
  for (const file_name of new Set(some.map((line) => line.file_name)))
    fs.linkSync(path.join(source, file_name), path.join(target, file_name));
  writeCaptions(target, some);
  console.log(`${target}: ${some.length} captions`);
}

function plainly(lines: readonly Line[]): Line[] {
  const emoji = lines
    .filter(({ file_name }) => file_name.startsWith('emoji/'))
    .map(({ file_name, text }) => ({ file_name: file_name.replace(/-\d+\.png$/, '-0.png'), text }));
  return [
    ...Array.from({ length: PLAIN_REPEATS }, () => emoji).flat(),
    ...lines.filter((line) => line.file_name.startsWith('avatar/')),
  ];
}

function writeCaptions(folder: string, lines: readonly Line[]): void {
  fs.writeFileSync(path.join(folder, 'captions.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

async function main(): Promise<void> {
  for (const held of [false, true]) {
    const folder = path.join(args.out, held ? 'heldout' : 'train');
    fs.rmSync(folder, { recursive: true, force: true });
    for (const kind of ['emoji', 'avatar']) fs.mkdirSync(path.join(folder, kind), { recursive: true });
    const lines = [
      ...(await emoji(folder, held)),
      ...avatars(folder, held ? Math.ceil(Number(args.avatars) / 100) : Number(args.avatars), held),
    ];
    writeCaptions(folder, lines);
    console.log(`${folder}: ${lines.length} pictures of ${size}x${size}`);
    if (held) continue;
    mix(`${folder}-mix`, folder, lines, false);
    mix(`${folder}-plain`, folder, lines, true);
  }
}

void main();
