/** `ldm serve`: the HTTP server. Work is done by jobs; routes only check, queue and answer. */
import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { LdmError } from '../errors';
import { Catalog, type CatalogOptions } from './catalog';
import type { Route, ServeContext } from './context';
import { HttpError, publicError } from './http-error';
import { Jobs } from './jobs';
import { DEFAULT_LIMITS, type ServeLimits } from './limits';
import { Logs } from './logs';
import { ModelHost } from './model-host';
import { openApi } from './openapi';
import { pageFiles } from './page-files';
import { errorBody, requestSchemas } from './protocol';
import { jobRoutes } from './routes/jobs';
import { logRoutes } from './routes/logs';
import { modelRoutes, openRoutes } from './routes/models';
import { openAiError, openAiRoutes } from './routes/openai';
import { isLoopback, needToken, sameSite, securityHeaders } from './security';

export interface ServeOptions extends CatalogOptions {
  /** Default 127.0.0.1: this machine only. */
  host?: string;
  /** Default 7860; 0: any that is free. */
  port?: number;
  /** Folders in which log folders of trainings lie. */
  logs?: readonly string[];
  /** What every request has to bring. Default: nothing. */
  token?: string | null;
  /** Names beside localhost that requests may ask for. */
  allowedHosts?: readonly string[];
  /** Default 'cpu'. */
  device?: string;
  limits?: Partial<ServeLimits>;
  /** Version that the server tells. */
  version?: string;
  /** Where unexpected errors go. Default: console.error. */
  onError?: (error: unknown) => void;
}

/** A server that is listening. */
export interface RunningServer {
  url: string;
  port: number;
  /** How many requests wait, and whether one runs. */
  load(): { waiting: number; running: boolean };
  /** Cancels all work, closes all connections, frees the models. */
  close(): Promise<void>;
}

/** Bytes of a body that holds no files. */
const JSON_BYTES = 256 << 10;

/**
 * Starts the server.
 * @throws LdmError ERR_FILE for a model or a folder that is not there; ERR_SETUP for a port that is taken
 */
export async function startServer(options: ServeOptions = {}): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 7860, logs = [], token = null, allowedHosts = [], device = 'cpu' } = options;
  const limits: ServeLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const onError = options.onError ?? console.error;
  const models = new ModelHost(new Catalog(options), { device, modelBytes: limits.modelBytes });
  const context: ServeContext = {
    jobs: new Jobs(limits, onError),
    host: models,
    logs: new Logs(logs),
    limits,
    schemas: requestSchemas(limits),
    security: { host, allowedHosts, token },
    device,
    version: options.version ?? '',
  };
  const app = createApp(context, onError);
  const server = await listen(app, host, port);
  const address = server.address() as { port: number };
  return {
    url: `http://${isLoopback(host) || host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${address.port}/`,
    port: address.port,
    load: () => context.jobs.load,
    async close() {
      await context.jobs.close();
      const closed = new Promise((resolve) => server.close(resolve));
      // Streams send their last event and end by themselves; what stays open is cut off.
      const cut = setTimeout(() => server.closeAllConnections(), 500);
      await closed;
      clearTimeout(cut);
      models.dispose();
    },
  };
}

/** All routes, in the order of the description. */
function routesOf(context: ServeContext): { open: Route[]; guarded: Route[] } {
  const guarded = [...modelRoutes(context), ...jobRoutes(context), ...logRoutes(context), ...openAiRoutes(context)];
  return { open: openRoutes(context), guarded };
}

function createApp(context: ServeContext, onError: (error: unknown) => void): Hono {
  const { security, limits } = context;
  const app = new Hono();
  const { open, guarded } = routesOf(context);
  const description = openApi([...open, ...guarded], errorBody, { title: 'node-ldm', version: context.version });

  app.use(securityHeaders);
  app.use(sameSite(security));
  for (const route of [...open, ...guarded]) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    if (guarded.includes(route)) app.on(route.method, path, needToken(security.token));
    if (route.method === 'post') {
      const maxSize = route.form ? limits.uploadBytes : JSON_BYTES;
      const refuse = async (c: Context) => {
        await discard(c.req.raw.body, 4 * maxSize);
        throw new HttpError(413, 'too_large', `Expected a body of at most ${maxSize} bytes.`);
      };
      app.on('post', path, bodyLimit({ maxSize, onError: refuse }));
    }
    app.on(route.method, path, (c) => {
      c.header('Cache-Control', 'no-store');
      return route.handle(c);
    });
  }
  app.get('/api/openapi.json', (c) => c.json(description));
  for (const [path, { data, type, etag }] of pageFiles()) {
    app.get(path, (c) => {
      c.header('ETag', etag);
      c.header('Cache-Control', 'no-cache');
      if (c.req.header('if-none-match') === etag) return c.body(null, 304);
      c.header('Content-Type', type);
      return c.body(data as Uint8Array<ArrayBuffer>);
    });
  }

  app.notFound((c) => answer(c.req.path, new HttpError(404, 'not_found', `There is nothing at ${c.req.path}.`)));
  app.onError((error, c) => {
    const known = publicError(error);
    if (known.status === 500) onError(error);
    return answer(c.req.path, known);
  });
  return app;
}

/** Reads what still comes, within reason: a client that is sending hears the answer only afterwards. */
async function discard(body: ReadableStream<Uint8Array> | null, most: number): Promise<void> {
  if (!body || body.locked) return;
  let bytes = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > most) return;
  }
}

function answer(path: string, error: HttpError): Response {
  const { code, message, field, status } = error;
  const body = path.startsWith('/v1/') ? openAiError(error) : { error: { code, message, field } };
  return Response.json(body, { status, headers: status === 429 || status === 503 ? { 'Retry-After': '5' } : {} });
}

function listen(app: Hono, hostname: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname, port }, () => resolve(server as Server));
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new LdmError(
              'ERR_SETUP',
              `Port ${port} is taken by another program (or another ldm serve). Choose one with --port, or 0 for any.`,
            )
          : new LdmError('ERR_SETUP', `Cannot listen on ${hostname}:${port}: ${error.message}`),
      ),
    );
  });
}
