/**
 * What CLIP's tokenizers do to a text before it is cut into words: ftfy's repairs of characters and HTML entities.
 *
 * Departures: text that was decoded with a wrong encoding ("schÃ¶n") is left as it is, which ftfy guesses at.
 */
import { decodeHTML, decodeHTMLStrict } from 'entities';

/** Whose tokenizer of CLIP's vocabulary. */
export type CLIPManner = 'openai' | 'open_clip' | 'transformers';

/** https://ftfy.readthedocs.io: fix_latin_ligatures */
const LIGATURES: Readonly<Record<string, string>> = {
  '\u0132': 'IJ',
  '\u0133': 'ij',
  '\u0149': '\u02bcn',
  '\u01f1': 'DZ',
  '\u01f2': 'Dz',
  '\u01f3': 'dz',
  '\u01c4': 'D\u017d',
  '\u01c5': 'D\u017e',
  '\u01c6': 'd\u017e',
  '\u01c7': 'LJ',
  '\u01c8': 'Lj',
  '\u01c9': 'lj',
  '\u01ca': 'NJ',
  '\u01cb': 'Nj',
  '\u01cc': 'nj',
  '\ufb00': 'ff',
  '\ufb01': 'fi',
  '\ufb02': 'fl',
  '\ufb03': 'ffi',
  '\ufb04': 'ffl',
  '\ufb05': '\u017ft',
  '\ufb06': 'st',
};
const LIGATURE = new RegExp(`[${Object.keys(LIGATURES).join('')}]`, 'g');
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const TERMINAL_ESCAPE = /\x1b\[[\d;]*[a-zA-Z]/g;
const WIDE = /[\u3000\uff01-\uffef]/g;
const LINE_BREAK = /\r\n|[\r\u2028\u2029]/g;
/** Control characters that nobody means: bytes of Windows-1252 that were read as Latin-1. */
const C1 = /[\x80-\x9f]/g;
/** What those are; five are nothing. (Node's decoder of windows-1252 takes them for Latin-1.) */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g;

const ENTITY = /&#?[0-9A-Za-z]{1,24};/g;

/** ftfy's rule for one entity: known ones, and lower-case ones that somebody put in capitals. */
function unescapeEntity(entity: string): string {
  const plain = decodeHTMLStrict(entity);
  if (entity.startsWith('&#')) return plain.includes(';') ? entity : plain;
  if (plain !== entity || entity !== entity.toUpperCase()) return plain;
  const small = decodeHTMLStrict(entity.toLowerCase());
  return small === entity.toLowerCase() ? entity : small.toUpperCase();
}

/** Entities stay in a text that may be HTML, from the line of the first "<" on. */
function unescapePlain(text: string): string {
  const markup = text.indexOf('<');
  const plain = markup < 0 ? text.length : text.lastIndexOf('\n', markup) + 1;
  return text.slice(0, plain).replace(ENTITY, unescapeEntity) + text.slice(plain);
}

/** What ftfy.fix_text does. */
function fixText(text: string): string {
  return unescapePlain(text)
    .replace(TERMINAL_ESCAPE, '')
    .replace(C1, (c) => WINDOWS_1252[c.charCodeAt(0) - 0x80])
    .replace(LIGATURE, (c) => LIGATURES[c])
    .replace(WIDE, (c) => c.normalize('NFKC'))
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(LINE_BREAK, '\n')
    .replace(/[\ud800-\udfff]/gu, '\ufffd')
    .replace(CONTROL, '')
    .normalize('NFC');
}

/**
 * Repaired characters, single blanks, and HTML entities as what they stand for.
 * @param manner 'openai' and 'open_clip': all entities, twice over; 'transformers': not in what looks like HTML
 */
export function cleanText(text: string, manner: CLIPManner = 'openai'): string {
  const fixed = fixText(text);
  return (manner === 'transformers' ? fixed : decodeHTML(decodeHTML(fixed))).replace(/\p{White_Space}+/gu, ' ').trim();
}
