/**
 * Asks a running `ldm serve` for a picture through the images API that OpenAI's clients speak, and shows the stream of partial ones.
 *
 *     npx ldm serve &
 *     npx tsx examples/http-client.ts [TEXT] [--url URL] [--out FILE]
 */
import fs from 'node:fs';
import { parseArgs } from 'node:util';

/** What the stream's events hold. */
interface ImageEvent {
  type: string;
  b64_json?: string;
  error?: { message: string };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://localhost:7860/v1' },
      out: { type: 'string', default: 'http-client.png' },
    },
  });
  const prompt = positionals[0] ?? 'avatar, pink bob, dark skin, big smile, sunglasses';
  const response = await fetch(`${values.url}/images/generations`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.LDM_TOKEN ?? ''}` },
    body: JSON.stringify({ prompt, steps: 20, seed: 3, stream: true, partial_images: 2 }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

  // Server-sent events are blocks of lines with an empty line after each.
  for (const block of (await response.text()).split('\n\n')) {
    const data = /^data: (\{.*\})$/m.exec(block)?.[1];
    if (!data) continue;
    const event: ImageEvent = JSON.parse(data);
    if (event.error) throw new Error(event.error.message);
    console.log(event.type);
    if (event.type.endsWith('completed')) fs.writeFileSync(values.out, Buffer.from(event.b64_json ?? '', 'base64'));
  }
  console.log(`${values.out}: "${prompt}"`);
}

main();
