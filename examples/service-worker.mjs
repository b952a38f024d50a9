// The worker thread of service.ts: it has the model, and draws one request after another. Plain JavaScript, which a worker runs as it is.
import { parentPort } from 'node:worker_threads';
import { encodePng, Generator, loadModel, picturesOf, textToImage, toBytes } from 'node-ldm';

/** @type {Map<number, AbortController>} */
const stops = new Map();
const { model } = await loadModel('models/demo/txt2img');

/** @param {number} id @param {string} prompt */
async function draw(id, prompt) {
  const stop = new AbortController();
  stops.set(id, stop);
  try {
    const random = new Generator(id);
    const images = await textToImage(model, { prompts: [prompt], steps: 20, scale: 3, random, signal: stop.signal });
    const pictures = await picturesOf(images);
    parentPort.postMessage({ id, png: await encodePng(toBytes(pictures, { range: [0, 1] }), pictures) });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error) });
  } finally {
    stops.delete(id);
  }
}

parentPort.on('message', ({ id, prompt, cancel }) => {
  if (cancel) stops.get(id)?.abort();
  else if (prompt !== undefined) void draw(id, prompt);
});
