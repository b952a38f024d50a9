/** Reads the text chunks of PNG files; without Node's Buffer, so that browsers run it, too. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** The text entries of a PNG file (tEXt and uncompressed iTXt); none for another kind of file. */
export function readText(png: Uint8Array): Record<string, string> {
  const result: Record<string, string> = {};
  if (SIGNATURE.some((byte, i) => png[i] !== byte)) return result;
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = SIGNATURE.length; at + 12 <= png.length; ) {
    const length = view.getUint32(at);
    const type = latin1(png.subarray(at + 4, at + 8));
    const body = png.subarray(at + 8, at + 8 + length);
    const end = body.indexOf(0);
    const keyword = latin1(body.subarray(0, Math.max(0, end)));
    if (type === 'tEXt' && end > 0) result[keyword] = latin1(body.subarray(end + 1));
    if (type === 'iTXt' && end > 0 && body[end + 1] === 0) {
      const language = body.indexOf(0, end + 3);
      const translated = body.indexOf(0, language + 1);
      result[keyword] = new TextDecoder().decode(body.subarray(translated + 1));
    }
    at += 12 + length;
  }
  return result;
}

/** Bytes as the characters of their numbers. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
