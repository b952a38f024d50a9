/** Text chunks of PNG files (PNG specification, section 11.3.3): the place for the settings that made a picture. */
import { LdmError } from '../errors';

const SIGNATURE_LENGTH = 8;

/** Adds one text chunk for each entry (tEXt for ASCII, else iTXt), after the header chunk. */
export function withText(png: Buffer, text: Record<string, string>): Buffer {
  const headerEnd = SIGNATURE_LENGTH + 12 + png.readUInt32BE(SIGNATURE_LENGTH);
  const chunks = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  return Buffer.concat([png.subarray(0, headerEnd), ...chunks, png.subarray(headerEnd)]);
}

function textChunk(keyword: string, value: string): Buffer {
  if (!/^[ -~]{1,79}$/.test(keyword))
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected a PNG keyword of 1 to 79 ASCII characters, got '${keyword}'`);
  // ASCII fits the older tEXt chunk, which more programs show.
  const ascii = /^[\n -~]*$/.test(value);
  const body = ascii
    ? Buffer.from(`tEXt${keyword}\0${value}`, 'latin1')
    : Buffer.concat([Buffer.from(`iTXt${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(value, 'utf8')]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
