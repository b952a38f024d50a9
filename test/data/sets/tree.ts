/**
 * Every data set of the reference in small, in the official layout, with pictures that are computed. Files end in .jpg where
 * the layout says so, but are PNG: both sides go by the content. As a script (`npx tsx tree.ts DIR`) it writes a folder for
 * make-expected.py.
 */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

/** A picture of waves and dots: RGB, or greyscale with `labels` values. */
export function pixels(width: number, height: number, seed: number, labels?: number): Buffer {
  const channels = labels === undefined ? 3 : 1;
  const data = Buffer.alloc(width * height * channels);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        const level = ((x * 7 + y * 11 + seed * 17 + c * 31) ^ (((x >> 2) * (y >> 2) * (c + 1)) & 63)) & 255;
        data[at++] = labels === undefined ? level : Math.floor((level * labels) / 256);
      }
  return data;
}

class Tree {
  constructor(readonly root: string) {}

  path(name: string): string {
    const file = path.join(this.root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    return file;
  }
  text(name: string, content: string | object): void {
    fs.writeFileSync(this.path(name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  async picture(name: string, width: number, height: number, seed: number): Promise<void> {
    await sharp(pixels(width, height, seed), { raw: { width, height, channels: 3 } })
      .png()
      .toFile(this.path(name));
  }
  async labels(name: string, width: number, height: number, seed: number, labels: number): Promise<void> {
    const picture = sharp(pixels(width, height, seed, labels), { raw: { width, height, channels: 1 } });
    await picture.toColourspace('b-w').png().toFile(this.path(name));
  }
}

/** Synsets of the first four classes of ImageNet. */
const SYNSETS = ['n01440764', 'n01443537', 'n01484850', 'n01491361'];

/** Writes the tree: `data`, and ImageNet in `cache/autoencoders/data`. */
export async function writeTree(root: string): Promise<void> {
  const tree = new Tree(root);
  await Promise.all([
    lsun(tree),
    faces(tree),
    imageNet(tree),
    segmentations(tree),
    cocoObjects(tree),
    openImages(tree),
  ]);
}

async function lsun(tree: Tree): Promise<void> {
  for (const [list, folder] of [
    ['church_outdoor', 'churches'],
    ['bedrooms', 'bedrooms'],
    ['cat', 'cats'],
  ]) {
    for (const end of ['train', 'val']) tree.text(`data/lsun/${list}_${end}.txt`, 'a.jpg\nsub/b.jpg\n');
    await tree.picture(`data/lsun/${folder}/a.jpg`, 40, 29, 1);
    await tree.picture(`data/lsun/${folder}/sub/b.jpg`, 25, 38, 2);
  }
}

async function faces(tree: Tree): Promise<void> {
  for (const split of ['train', 'validation']) {
    tree.text(`data/celebahq${split}.txt`, 'imgHQ1.npy\nimgHQ0.npy\n');
    tree.text(`data/ffhq${split}.txt`, '1.png\n0.png\n');
  }
  for (let i = 0; i < 2; i++) {
    const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3, 24, 24), }".padEnd(117);
    const planes = Buffer.concat(Array.from({ length: 3 }, (_, c) => pixels(24, 24, 10 * i + c, 256)));
    const npy = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'), Buffer.from(`${header}\n`), planes]);
    fs.writeFileSync(tree.path(`data/celebahq/imgHQ${i}.npy`), npy);
    await tree.picture(`data/ffhq/${i}.png`, 30, 30, 30 + i);
  }
  tree.text('list.txt', `data/ffhq/0.png\ndata/lsun/churches/a.jpg\n`);
}

async function imageNet(tree: Tree): Promise<void> {
  for (const [split, folder] of [
    ['train', 'ILSVRC2012_train'],
    ['val', 'ILSVRC2012_validation'],
  ]) {
    const root = `cache/autoencoders/data/${folder}`;
    const names = SYNSETS.map((synset, i) => `${synset}/${synset}_${i}.JPEG`);
    for (const [i, name] of names.entries()) await tree.picture(`${root}/data/${name}`, 50 - 4 * i, 36 + 5 * i, 40 + i);
    tree.text(`${root}/filelist.txt`, `${names.join('\n')}\nn06596364/n06596364_9591.JPEG\n`);
    tree.text(`${root}/synset_human.txt`, SYNSETS.map((synset, i) => `${synset} name, of ${i}\n`).join(''));
    // pickle.dumps([3, 1], 0)
    fs.writeFileSync(tree.path(`data/imagenet_${split}_hr_indices.p`), '(lp0\nI3\naI1\na.');
  }
}

async function segmentations(tree: Tree): Promise<void> {
  for (const year of ['train2017', 'val2017']) {
    const images = [];
    const annotations = [];
    for (const [i, [width, height]] of [
      [46, 34],
      [30, 41],
    ].entries()) {
      const name = `00000${i}`;
      images.push({ id: 70 + i, file_name: `${name}.jpg`, width, height });
      for (let c = 0; c < 3; c++)
        annotations.push({ image_id: 70 + i, id: 3 * i + c, caption: `caption ${c} of ${name}` });
      await tree.picture(`data/coco/${year}/${name}.jpg`, width, height, 50 + i);
      for (const folder of [`coco/annotations/stuff_${year}_pixelmaps`, `cocostuffthings/${year}`])
        await tree.labels(`data/${folder}/${name}.png`, width, height, 60 + i, 182);
    }
    tree.text(`data/coco/annotations/captions_${year}.json`, { images, annotations });
  }
  for (const [list, root, labels] of [
    ['sflckr_examples', 'sflckr', 182],
    ['ade20k_examples', 'ade20k', 151],
    ['coco_examples', 'coco', 182],
    ['rfw_train', 'rfw', 182],
    ['rfw_validation', 'rfw', 182],
  ] as const) {
    tree.text(`data/${list}.txt`, 'a/x.jpg\ny.jpg\n');
    for (const [name, seed] of [
      ['a/x', 70],
      ['y', 71],
    ] as const) {
      await tree.picture(`data/${root}_images/${name}.jpg`, 44, 33, seed);
      await tree.labels(`data/${root}_segmentations/${name}.png`, 44, 33, seed, labels);
    }
  }
  for (const list of ['train', 'test']) tree.text(`data/ade20k_${list}.txt`, 'validation/ADE_1.jpg\n');
  tree.text('data/ade20k_root/sceneCategories.txt', 'ADE_1 street\n');
  await tree.picture('data/ade20k_root/images/validation/ADE_1.jpg', 37, 45, 80);
  await tree.labels('data/ade20k_root/annotations/validation/ADE_1.png', 37, 45, 80, 151);
}

async function cocoObjects(tree: Tree): Promise<void> {
  for (const year of ['train2017', 'val2017']) {
    const images = [
      { id: 5, file_name: '5.jpg', width: 60, height: 40, coco_url: 'u' },
      { id: 6, file_name: '6.jpg', width: 36, height: 52, coco_url: 'u' },
    ];
    const things = [
      { id: 1, name: 'person', supercategory: 'a' },
      { id: 18, name: 'dog', supercategory: 'a' },
      { id: 2, name: 'bicycle', supercategory: 'a' },
    ];
    const stuff = [
      { id: 92, name: 'banner', supercategory: 'b' },
      { id: 183, name: 'other', supercategory: 'other' },
    ];
    const object = (id: number, image_id: number, category_id: number, bbox: number[]) => ({
      id,
      image_id,
      category_id,
      bbox,
      iscrowd: id % 2,
      segmentation: [[1, 2, 3]],
    });
    const objects = [
      object(1, 6, 1, [3, 4.5, 20, 30]),
      object(2, 5, 18, [10, 5, 30.25, 20]),
      object(3, 5, 2, [0, 0, 9, 39]),
    ];
    const areas = [
      object(4, 5, 92, [30, 20, 30, 20]),
      object(5, 6, 183, [0, 0, 30, 30]),
      object(6, 6, 92, [0, 40, 36, 12]),
    ];
    tree.text(`coco/annotations/instances_${year}.json`, { images, categories: things, annotations: objects });
    tree.text(`coco/annotations/stuff_${year}.json`, { images, categories: stuff, annotations: areas });
    for (const { file_name, width, height, id } of images)
      await tree.picture(`coco/${year}/${file_name}`, width, height, id);
  }
}

async function openImages(tree: Tree): Promise<void> {
  const classes = [
    '/m/01g317,Person',
    '/m/01s55n,Suitcase',
    '/m/03bt1vf,Woman',
    '/m/0bt9lr,Dog',
    '/m/02wbm,Food',
    '/m/x,"Odd, one"',
  ];
  tree.text('data/openimages/class-descriptions-boxable.csv', `${classes.join('\n')}\n`);
  const columns =
    'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside';
  const rows = [
    '0a,xclick,/m/03bt1vf,1,0.1,0.55,0.2,0.9,1,0,0,0,0',
    '0b,xclick,/m/0bt9lr,1,0.0,0.3,0.0,0.333333,0,1,1,0,0',
    '0a,xclick,/m/02wbm,1,0.5,0.8,0.5,0.8,0,0,0,1,0',
    '0a,xclick,/m/x,1,0.5,0.8,0.5,0.8,0,0,0,0,0',
    '0b,activemil,/m/01g317,0.5,0.25,1.0,0.1,0.7,-1,-1,-1,-1,-1',
    '0b,xclick,/m/0bt9lr,1,0.2,0.204,0.3,0.304,0,0,0,0,1',
    '0c,xclick,/m/0bt9lr,1,0.2,0.9,0.3,0.9,0,0,0,0,1',
  ];
  for (const [split, file] of [
    ['train', 'oidv6-train-annotations-bbox.csv'],
    ['validation', 'validation-annotations-bbox.csv'],
  ]) {
    tree.text(`data/openimages/${file}`, `${columns}\n${rows.join('\n')}\n`);
    tree.text(
      `data/openimages/${split === 'train' ? 'train-images-boxable' : 'validation-images'}.csv`,
      'image_name,image_url\n',
    );
    for (const [i, id] of ['0a', '0b', '0c'].entries())
      await tree.picture(`data/openimages/${split}/${id.padStart(16, '0')}.jpg`, 48 - 9 * i, 32 + 7 * i, 90 + i);
  }
}

if (process.argv[1] === __filename) void writeTree(process.argv[2]);
