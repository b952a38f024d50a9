/**
 * Downloads one file so that an interrupted transfer is continued, a damaged one is never kept, and two processes that
 * want the same file fetch it once.
 *
 * What has arrived lies in `<file>.part`; a HTTP range request continues it, guarded by the entity tag of the first
 * answer (`<file>.part.etag`). The file appears under its own name only when its checksum is right.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { LdmError } from './errors';
import { withFileLock } from './file-lock';

/** What a finished file must be. */
export interface ExpectedDigest {
  algorithm: 'sha256' | 'md5';
  /** Lower-case hexadecimal; the first digits suffice (torchvision puts eight of them into its file names). */
  hex: string;
}

export interface DownloadOptions {
  url: string;
  /** Where the file goes. Its folder is made. */
  file: string;
  digest?: ExpectedDigest;
  /** Bytes that are there and, where the server tells, of the whole file. */
  onProgress?: (received: number, total: number | undefined) => void;
  /** Called when another process (its id) is fetching the same file. */
  onWait?: (pid: number) => void;
  signal?: AbortSignal;
  /** Time until the server must have answered. Default 10,000 ms. */
  answerTimeoutMs?: number;
  /** Longest silence in a transfer. Default 30,000 ms. */
  stallTimeoutMs?: number;
}

/** Times that a transfer which breaks in the middle is taken up again. */
const RESUMES = 4;

/** Digest of a file, in hexadecimal. */
export async function digestOfFile(file: string, algorithm: 'sha256' | 'md5'): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of fs.createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** The innermost reason of a failed fetch: 'getaddrinfo ENOTFOUND host' instead of 'fetch failed'. */
function reasonOf(error: unknown): string {
  let inner = error as Error & { errors?: Error[] };
  while (types.isNativeError(inner.cause)) inner = inner.cause;
  const first = inner.errors?.[0] ?? inner;
  return first.message || first.name;
}

const aborted = (url: string): LdmError => new LdmError('ERR_ABORTED', `The download of ${url} was aborted`);

/** Aborts when `restart` has not been called for `ms`. */
class Watchdog {
  readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  restart(ms: number, what: string): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.controller.abort(new Error(what)), ms);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

class Transfer {
  private readonly part: string;
  private readonly tagFile: string;

  constructor(private readonly options: DownloadOptions) {
    this.part = `${options.file}.part`;
    this.tagFile = `${this.part}.etag`;
  }

  async run(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const before = sizeOf(this.part);
      try {
        await this.receive();
        break;
      } catch (error) {
        if (this.options.signal?.aborted) throw aborted(this.options.url);
        const progressed = sizeOf(this.part) > before;
        if (error instanceof LdmError || !progressed || attempt === RESUMES) throw this.failure(error);
      }
    }
    await this.finish();
  }

  /** Appends to the part file until the server has sent everything. */
  private async receive(): Promise<void> {
    const { url, signal, onProgress, answerTimeoutMs = 10_000, stallTimeoutMs = 30_000 } = this.options;
    const watchdog = new Watchdog();
    const abort = signal ? AbortSignal.any([signal, watchdog.controller.signal]) : watchdog.controller.signal;
    watchdog.restart(answerTimeoutMs, `no answer within ${answerTimeoutMs / 1000} s`);
    try {
      const there = sizeOf(this.part);
      const tag = there > 0 ? this.readTag() : undefined;
      const headers: Record<string, string> = { 'accept-encoding': 'identity' };
      if (tag !== undefined) Object.assign(headers, { range: `bytes=${there}-`, 'if-range': tag });
      const response = await fetch(url, { headers, signal: abort });
      if (response.status === 416 && tag !== undefined) {
        // The part is as long as the file: either complete, which the checksum will tell, or of something else.
        await response.body?.cancel();
        return;
      }
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        throw new LdmError(
          'ERR_DOWNLOAD',
          `Cannot download ${url}: the server answered ${response.status} ${response.statusText}`,
        );
      }
      const resumed = response.status === 206;
      this.writeTag(response.headers.get('etag') ?? response.headers.get('last-modified'));
      const length = Number(response.headers.get('content-length') ?? Number.NaN);
      let received = resumed ? there : 0;
      const total = Number.isFinite(length) ? received + length : undefined;
      const out = await fs.promises.open(this.part, resumed ? 'a' : 'w');
      try {
        onProgress?.(received, total);
        for await (const chunk of Readable.fromWeb(response.body as import('node:stream/web').ReadableStream)) {
          watchdog.restart(stallTimeoutMs, `no data for ${stallTimeoutMs / 1000} s`);
          await out.writeFile(chunk as Buffer);
          received += (chunk as Buffer).length;
          onProgress?.(received, total);
        }
        await out.sync();
      } finally {
        await out.close();
      }
      if (total !== undefined && received !== total)
        throw new Error(`the connection ended after ${received} of ${total} bytes`);
    } catch (error) {
      throw watchdog.controller.signal.aborted ? watchdog.controller.signal.reason : error;
    } finally {
      watchdog.stop();
    }
  }

  /** Checks the digest and gives the file its name. */
  private async finish(): Promise<void> {
    const { url, file, digest } = this.options;
    if (digest) {
      const found = await digestOfFile(this.part, digest.algorithm);
      if (!found.startsWith(digest.hex)) {
        this.discard();
        throw new LdmError(
          'ERR_DOWNLOAD',
          `What ${url} sent is not the expected file: its ${digest.algorithm} is ${found}, but ${digest.hex} is required. ` +
            'Nothing was kept; try again, or check the mirror or proxy in between',
        );
      }
    }
    fs.renameSync(this.part, file);
    fs.rmSync(this.tagFile, { force: true });
  }

  private discard(): void {
    fs.rmSync(this.part, { force: true });
    fs.rmSync(this.tagFile, { force: true });
  }

  private readTag(): string | undefined {
    try {
      return fs.readFileSync(this.tagFile, 'utf8') || undefined;
    } catch {
      return undefined;
    }
  }

  /** Weak tags do not promise equal bytes; without a usable one a broken transfer starts again. */
  private writeTag(tag: string | null): void {
    if (tag && !tag.startsWith('W/')) fs.writeFileSync(this.tagFile, tag);
    else fs.rmSync(this.tagFile, { force: true });
  }

  private failure(error: unknown): LdmError {
    if (error instanceof LdmError) return error;
    const kept = sizeOf(this.part);
    const note = kept > 0 ? `; ${kept} bytes are kept in ${this.part} and will be continued` : '';
    return new LdmError('ERR_DOWNLOAD', `Cannot download ${this.options.url}: ${reasonOf(error)}${note}`, {
      cause: error,
    });
  }
}

/**
 * Downloads `url` to `file`, unless it is there already. Rejects with `ERR_DOWNLOAD` when the server cannot be reached or
 * sends something else, and with an AbortError when `signal` says so; what has arrived then stays for the next try.
 */
export async function download(options: DownloadOptions): Promise<void> {
  fs.mkdirSync(path.dirname(options.file), { recursive: true });
  await withFileLock(
    `${options.file}.lock`,
    async () => {
      if (fs.existsSync(options.file)) return;
      if (options.signal?.aborted) throw aborted(options.url);
      await new Transfer(options).run();
    },
    options.onWait,
  );
}
