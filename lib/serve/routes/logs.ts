/** Trainings: lists, curves, pictures, news. */
import { setTimeout as sleep } from 'node:timers/promises';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { parse, type Route, type ServeContext } from '../context';
import { logDetails, logEntry } from '../protocol';

const which = z.object({ log: z.string().max(500).describe('Id of a log folder') });
const picture = which.extend({ split: z.string().max(100), name: z.string().max(300) });

/** How often a log folder is looked at for news. */
const LOOK_MS = 2000;

export function logRoutes({ logs }: ServeContext): Route[] {
  return [
    {
      method: 'get',
      path: '/api/logs',
      tag: 'training',
      summary: 'Log folders of trainings, the latest first',
      response: z.array(logEntry),
      handle: (c) => c.json(logs.list()),
    },
    {
      method: 'get',
      path: '/api/logs/details',
      tag: 'training',
      summary: 'Curves, pictures and checkpoints of a training',
      query: which,
      response: logDetails,
      errors: [400, 404],
      handle: (c) => c.json(logs.details(parse(which, c.req.query()).log)),
    },
    {
      method: 'get',
      path: '/api/logs/image',
      tag: 'training',
      summary: 'A picture that a training has logged',
      query: picture,
      response: 'image/png',
      errors: [400, 404],
      handle(c) {
        const { log, split, name } = parse(picture, c.req.query());
        c.header('Content-Type', 'image/png');
        c.header('Cache-Control', 'private, max-age=86400');
        return c.body(new Uint8Array(logs.image(log, split, name)));
      },
    },
    {
      method: 'get',
      path: '/api/logs/events',
      tag: 'training',
      summary: 'An event `changed` whenever a training has written something',
      query: which,
      response: 'text/event-stream',
      errors: [400, 404],
      handle(c) {
        const { log } = parse(which, c.req.query());
        let last = logs.modified(log);
        return streamSSE(c, async (stream) => {
          for (;;) {
            await sleep(LOOK_MS, undefined, { ref: false });
            if (stream.aborted || stream.closed || !logs.has(log)) return;
            const now = logs.modified(log);
            if (now !== last) await stream.writeSSE({ event: 'changed', data: String(now) });
            else await stream.write(': \n\n');
            last = now;
          }
        });
      },
    },
  ];
}
