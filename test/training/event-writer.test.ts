import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32c, maskedCrc32c } from '../../lib/training/tensorboard/crc32c';
import { EventWriter } from '../../lib/training/tensorboard/event-writer';

/** A message of the protocol buffer wire format as lists of raw values by field number. */
function parse(message: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const length = [0, 8, 0, 0, 0, 4][tag & 7];
    let value: number | Buffer;
    if ((tag & 7) === 0) value = varint();
    else {
      const size = (tag & 7) === 2 ? varint() : length;
      value = message.subarray(at, at + size);
      at += size;
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

/** The events of a file; checks both checksums of each frame. */
function readEvents(file: string): Map<number, (number | Buffer)[]>[] {
  const data = fs.readFileSync(file);
  const events: Map<number, (number | Buffer)[]>[] = [];
  for (let at = 0; at < data.length; ) {
    const length = Number(data.readBigUInt64LE(at));
    expect(data.readUInt32LE(at + 8)).toBe(maskedCrc32c(data.subarray(at, at + 8)));
    const body = data.subarray(at + 12, at + 12 + length);
    expect(data.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(body));
    events.push(parse(body));
    at += 16 + length;
  }
  return events;
}

describe('CRC-32C', () => {
  it.each([
    // RFC 3720, appendix B.4
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['ascending', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['check', Buffer.from('123456789'), 0xe3069283],
  ])('of %s', (_, data, expected) => {
    expect(crc32c(data)).toBe(expected);
  });
});

describe('EventWriter', () => {
  it('writes what a parser of the published formats reads back', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-events-'));
    try {
      const writer = new EventWriter(folder, 1_600_000_000_000);
      writer.scalars({ 'train/loss': 0.25, epoch: 3 }, 70_000, 1_600_000_001_500);
      writer.image('train/samples', Buffer.from('PNG'), { width: 300, height: 20, channels: 3 }, 5);
      writer.close();
      expect(path.basename(writer.file)).toMatch(/^events\.out\.tfevents\.1600000000\./);
      const [version, scalars, image] = readEvents(writer.file);
      expect(String(version.get(3)![0])).toBe('brain.Event:2');
      expect((scalars.get(1)![0] as Buffer).readDoubleLE()).toBe(1_600_000_001.5);
      expect(scalars.get(2)![0]).toBe(70_000);
      const values = parse(scalars.get(5)![0] as Buffer)
        .get(1)!
        .map((v) => parse(v as Buffer));
      expect(values.map((v) => [String(v.get(1)![0]), (v.get(2)![0] as Buffer).readFloatLE()])).toEqual([
        ['train/loss', 0.25],
        ['epoch', 3],
      ]);
      const picture = parse(parse(parse(image.get(5)![0] as Buffer).get(1)![0] as Buffer).get(4)![0] as Buffer);
      expect([picture.get(1), picture.get(2), picture.get(3)]).toEqual([[20], [300], [3]]);
      expect(String(picture.get(4)![0])).toBe('PNG');
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});
