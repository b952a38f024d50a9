/** The models of the server, and the server itself. */
import { setCookie } from 'hono/cookie';
import { z } from 'zod';
import { samplerNames } from '../../sampling/samplers';
import { jsonBody, parse, type Route, type ServeContext } from '../context';
import { HttpError } from '../http-error';
import { inspectModel } from '../inspect-model';
import { modelEntry, modelInfo, serverInfo } from '../protocol';
import { COOKIE, hasToken, isEqual } from '../security';

const which = z.object({ model: z.string().max(500).optional().describe('Id of a model; default: the first one') });

/** Seconds for which a browser keeps the token. */
const COOKIE_AGE = 30 * 24 * 3600;

/** Open to everybody: what the page needs to ask for the token. */
export function openRoutes({ security, limits, schemas, device, version, logs }: ServeContext): Route[] {
  return [
    {
      method: 'get',
      path: '/api/server',
      tag: 'server',
      summary: 'Version, device and limits of the server',
      response: serverInfo,
      handle(c) {
        const { pixels, steps, batch, uploadBytes, promptLength } = limits;
        return c.json({
          name: 'node-ldm',
          version,
          device,
          limits: { pixels, steps, batch, uploadBytes, promptLength },
          samplers: samplerNames,
          hasLogs: logs.any,
          tokenNeeded: !hasToken(c, security.token),
        });
      },
    },
    {
      method: 'post',
      path: '/api/session',
      tag: 'server',
      summary: 'Keep the token in a cookie',
      json: schemas.session,
      status: 204,
      errors: [400],
      async handle(c) {
        const { token } = await jsonBody(c, schemas.session);
        if (security.token === null || !isEqual(token, security.token))
          throw new HttpError(401, 'wrong_token', 'This is not the token of this server.', 'token');
        setCookie(c, COOKIE, token, { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: COOKIE_AGE });
        return c.body(null, 204);
      },
    },
  ];
}

export function modelRoutes({ host }: ServeContext): Route[] {
  return [
    {
      method: 'get',
      path: '/api/models',
      tag: 'models',
      summary: 'The models that can be used',
      response: z.array(modelEntry),
      handle: (c) => c.json(host.entries()),
    },
    {
      method: 'get',
      path: '/api/models/info',
      tag: 'models',
      summary: 'What a model can do; it is not loaded for this',
      query: which,
      response: modelInfo,
      errors: [404, 409],
      handle: async (c) => c.json(await host.info(parse(which, c.req.query()).model)),
    },
    {
      method: 'get',
      path: '/api/models/inspect',
      tag: 'models',
      summary: 'What the files of a model hold, as `ldm inspect` says',
      query: which,
      response: z.record(z.string(), z.unknown()),
      errors: [404, 409],
      async handle(c) {
        const model = host.catalog.get(parse(which, c.req.query()).model);
        return c.json(await inspectModel(model, c.req.raw.signal));
      },
    },
  ];
}
