/** Takes pickles apart into instructions and puts them together again. */

/** What follows an instruction's code: bytes of fixed length, lines, or a length of 1, 4 or 8 bytes and as many bytes. */
export type ArgumentKind = 0 | 1 | 2 | 4 | 8 | 'line' | 'two lines' | 's1' | 's4' | 's8';

export const ARGUMENTS: ReadonlyMap<number, ArgumentKind> = new Map<number, ArgumentKind>([
  ...[...'(.012Nl]d}aeustRbQo)'].map((c) => [c.charCodeAt(0), 0] as [number, ArgumentKind]),
  ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94].map(
    (c) => [c, 0] as [number, ArgumentKind],
  ),
  ...[...'FILSVPgp'].map((c) => [c.charCodeAt(0), 'line'] as [number, ArgumentKind]),
  ...[...'ci'].map((c) => [c.charCodeAt(0), 'two lines'] as [number, ArgumentKind]),
  ...[...'Kqh'].map((c) => [c.charCodeAt(0), 1] as [number, ArgumentKind]),
  [0x80, 1],
  [0x82, 1],
  [0x4d, 2],
  [0x83, 2],
  ...[...'Jrj'].map((c) => [c.charCodeAt(0), 4] as [number, ArgumentKind]),
  [0x84, 4],
  [0x47, 8],
  [0x95, 8],
  ...[0x55, 0x43, 0x8c, 0x8a].map((c) => [c, 's1'] as [number, ArgumentKind]),
  ...[0x54, 0x58, 0x42, 0x8b].map((c) => [c, 's4'] as [number, ArgumentKind]),
  ...[0x8d, 0x8e, 0x96].map((c) => [c, 's8'] as [number, ArgumentKind]),
]);
export const CODES = [...ARGUMENTS.keys()];

export interface Instruction {
  code: number;
  /** All bytes behind the code. */
  argument: Buffer;
}

/** The instructions of one pickle up to its STOP, and where the next bytes are. */
export function disassemble(data: Buffer, from = 0): { instructions: Instruction[]; end: number } {
  const instructions: Instruction[] = [];
  let at = from;
  for (;;) {
    const code = data[at++];
    const kind = ARGUMENTS.get(code);
    if (kind === undefined) throw new Error(`No instruction 0x${code?.toString(16)} at ${at - 1}`);
    const end = at + argumentLength(data, at, kind);
    if (!(end >= at && end <= data.length)) throw new Error(`The argument at ${at} has no end`);
    instructions.push({ code, argument: data.subarray(at, end) });
    at = end;
    if (code === 0x2e) return { instructions, end: at };
  }
}

function argumentLength(data: Buffer, at: number, kind: ArgumentKind): number {
  const line = (from: number) => data.indexOf(10, from) + 1 - from;
  if (kind === 'line') return line(at);
  if (kind === 'two lines') return line(at) + line(at + line(at));
  if (kind === 's1') return 1 + data[at];
  if (kind === 's4') return 4 + data.readUInt32LE(at);
  if (kind === 's8') return 8 + Number(data.readBigUInt64LE(at));
  return kind;
}

export function assemble(instructions: readonly Instruction[]): Buffer {
  return Buffer.concat(instructions.flatMap(({ code, argument }) => [Buffer.of(code), argument]));
}
