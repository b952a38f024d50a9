/** A HTTP server on 127.0.0.1 that serves bytes, with range requests and faults on demand. */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Served {
  body: Buffer;
  /** Default: a hash of the body. null: none. */
  etag?: string | null;
  /** The connection breaks once after so many bytes of an answer. */
  breakAfter?: number;
  /** The server never answers. */
  silent?: boolean;
}

export interface FileServer {
  url: string;
  files: Map<string, Served>;
  /** 'path range' of each request in order. */
  requests: string[];
  close(): Promise<void>;
}

const hashOf = (body: Buffer): string => `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;

/** Starts a server; paths are those of `files`, decoded. */
export async function startFileServer(files: Record<string, Served>): Promise<FileServer> {
  const table = new Map(Object.entries(files));
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(request.url ?? '/');
    const { range } = request.headers;
    requests.push(range ? `${name} ${range}` : name);
    const served = table.get(name);
    if (!served) return void response.writeHead(404).end();
    if (served.silent) return;
    const etag = served.etag === undefined ? hashOf(served.body) : served.etag;
    const wanted = /^bytes=(\d+)-$/.exec(range ?? '');
    const partial = wanted !== null && (request.headers['if-range'] ?? etag) === etag;
    const start = partial ? Number(wanted[1]) : 0;
    if (partial && start >= served.body.length) return void response.writeHead(416).end();
    const body = served.body.subarray(start);
    response.writeHead(partial ? 206 : 200, { 'content-length': body.length, ...(etag ? { etag } : {}) });
    if (served.breakAfter === undefined) return void response.end(body);
    const { breakAfter } = served;
    served.breakAfter = undefined;
    response.write(body.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 50));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: table,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
