/**
 * A small HTTP service of one's own: GET /?prompt=TEXT answers with a PNG. The model lives in a worker thread, so that neither loading it
 * nor encoding pictures holds up the thread that answers; a client that goes away stops its drawing.
 *
 *     npx tsx examples/service.ts [--port N]
 */
import http from 'node:http';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
const worker = new Worker(require.resolve('./service-worker.mjs'));
const waiting = new Map<number, http.ServerResponse>();
let requests = 0;

worker.on('message', ({ id, png, error }: { id: number; png?: Uint8Array; error?: string }) => {
  const response = waiting.get(id);
  waiting.delete(id);
  if (png) response?.writeHead(200, { 'Content-Type': 'image/png' }).end(png);
  else response?.writeHead(500).end(error);
});

const server = http.createServer((request, response) => {
  const prompt = new URL(request.url ?? '/', 'http://localhost').searchParams.get('prompt') ?? '';
  const id = ++requests;
  waiting.set(id, response);
  response.on('close', () => worker.postMessage({ id, cancel: true }));
  worker.postMessage({ id, prompt });
});
server.listen(Number(values.port), () => {
  const { port } = server.address() as { port: number };
  console.log(`http://localhost:${port}/?prompt=avatar,+blue+curly+hair`);
});
