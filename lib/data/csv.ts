/** Rows of a comma-separated file, read in chunks: OpenImages' boxes take more than two gigabytes. */
import fs from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const CHUNK = 1 << 20;

/** Calls `row` with the fields of each line. Fields in quotes may hold commas and doubled quotes, but no line breaks. */
export function forEachRow(file: string, row: (fields: string[], line: number) => void): void {
  const fd = fs.openSync(file, 'r');
  try {
    const decoder = new StringDecoder('utf8');
    const buffer = Buffer.alloc(CHUNK);
    let rest = '';
    let line = 0;
    const take = (text: string) => {
      if (text !== '') row(fieldsOf(text), line);
      line++;
    };
    for (let n = fs.readSync(fd, buffer); n > 0; n = fs.readSync(fd, buffer)) {
      const lines = (rest + decoder.write(buffer.subarray(0, n))).split(/\r?\n/);
      rest = lines.pop()!;
      lines.forEach(take);
    }
    take(rest + decoder.end());
  } finally {
    fs.closeSync(fd);
  }
}

function fieldsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );
}
