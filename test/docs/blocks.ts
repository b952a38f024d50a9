/** The code blocks of Markdown pages: fenced ones, and those that are indented by four spaces. */

export interface Block {
  /** Line of its first line in the page, from 1. */
  line: number;
  /** 'sh', 'ts', ...; '' for an indented block or a fence without a word. */
  language: string;
  /** Why it is not run: what stands behind `no-run:` in the fence's first line. */
  noRun: string | null;
  code: string;
}

export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^(`{3,})\s*(\S*)\s*(.*)$/.exec(lines[i]!);
    if (fence) {
      const start = i + 1;
      while (++i < lines.length && !lines[i]!.startsWith(fence[1]!));
      const noRun = /no-run:\s*(.+)/.exec(fence[3]!)?.[1] ?? null;
      blocks.push({ line: start + 1, language: fence[2]!, noRun, code: lines.slice(start, i).join('\n') });
    } else if (/^ {4}\S/.test(lines[i]!) && (i === 0 || lines[i - 1]!.trim() === '')) {
      const start = i;
      while (
        i + 1 < lines.length &&
        (/^ {4}/.test(lines[i + 1]!) || (lines[i + 1]!.trim() === '' && /^ {4}/.test(lines[i + 2] ?? '')))
      )
        i++;
      const code = lines
        .slice(start, i + 1)
        .map((line) => line.slice(4))
        .join('\n');
      blocks.push({ line: start + 1, language: '', noRun: null, code });
    }
  }
  return blocks;
}

/** The `ldm` commands of a block, without prompt, comments, `npx` and variables before them; words as a shell splits them. */
export function ldmCommands(code: string): string[][] {
  const joined = code.replace(/\\\n\s*/g, ' ');
  return joined.split('\n').flatMap((line) => {
    const words = shellWords(line.replace(/^\s*\$ /, '').trim());
    while (words.length > 0 && (/^[A-Z_]+=/.test(words[0]!) || words[0] === 'npx')) words.shift();
    return words[0] === 'ldm' ? [words.slice(1)] : [];
  });
}

/** Words, with quotes taken off; what follows # is a comment, what follows |, &&, ; or > belongs to the shell. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  const token = /\s*(?:(#.*$|[|;>].*$|&&.*$)|((?:[^\s"'#|;>]|(?<=\S)#|"[^"]*"|'[^']*')+))/gy;
  for (let match = token.exec(line); match && !match[1]; match = token.exec(line))
    words.push(match[2]!.replace(/"([^"]*)"|'([^']*)'/g, (_, a, b) => a ?? b));
  return words;
}
