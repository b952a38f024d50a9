/**
 * TensorBoard event files: TFRecord frames (length, masked CRC-32C, data, masked CRC-32C) that hold tensorflow.Event
 * messages (tensorflow/core/util/event.proto and framework/summary.proto; field numbers are given where they are used).
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { maskedCrc32c } from './crc32c';
import { bytesField, doubleField, floatField, varintField } from './protobuf';

/** Writes scalars and images for TensorBoard. Each event is in the file when the method returns. */
export class EventWriter {
  readonly file: string;
  readonly #fd: number;

  /** Starts a new event file in `folder`, which is made where needed. */
  constructor(folder: string, now = Date.now()) {
    fs.mkdirSync(folder, { recursive: true });
    const stamp = String(Math.floor(now / 1000)).padStart(10, '0');
    this.file = path.join(folder, `events.out.tfevents.${stamp}.${os.hostname()}.${process.pid}`);
    this.#fd = fs.openSync(this.file, 'a');
    this.#event(now, 0, bytesField(3, 'brain.Event:2')); // Event.file_version
  }

  /** One point for each name. */
  scalars(values: Readonly<Record<string, number>>, step: number, now = Date.now()): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      // Summary.value = 1, Value.tag = 1, Value.simple_value = 2
      bytesField(1, Buffer.concat([bytesField(1, tag), floatField(2, value)])),
    );
    this.#event(now, step, bytesField(5, Buffer.concat(summary))); // Event.summary
  }

  /** A PNG picture. */
  image(
    tag: string,
    png: Uint8Array,
    size: { width: number; height: number; channels: number },
    step: number,
    now = Date.now(),
  ): void {
    const image = Buffer.concat([
      varintField(1, size.height),
      varintField(2, size.width),
      varintField(3, size.channels), // Image.colorspace: 1 grey, 3 RGB, 4 RGBA
      bytesField(4, png),
    ]);
    const value = Buffer.concat([bytesField(1, tag), bytesField(4, image)]); // Value.image
    this.#event(now, step, bytesField(5, bytesField(1, value)));
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #event(now: number, step: number, what: Buffer): void {
    const event = Buffer.concat([doubleField(1, now / 1000), varintField(2, step), what]); // wall_time, step
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(event.length));
    fs.writeSync(this.#fd, Buffer.concat([length, checksum(length), event, checksum(event)]));
  }
}

function checksum(data: Uint8Array): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(maskedCrc32c(data));
  return out;
}
