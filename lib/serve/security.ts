/**
 * Who may talk to the server. By default it listens on this machine only; then a web page of somebody else, which the browser
 * on this machine may be showing, is the danger: its requests are told by their Origin, and by the name that they ask for
 * (DNS rebinding).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { HttpError } from './http-error';

export interface SecurityOptions {
  /** What the server is bound to. */
  host: string;
  /** Names beside it that requests may ask for, such as that of a proxy. */
  allowedHosts: readonly string[];
  /** Null: no token is needed. */
  token: string | null;
}

export const COOKIE = 'ldm_token';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string) => LOOPBACK.includes(host) || /^127\./.test(host);

/** Headers of every answer: nothing is loaded from elsewhere, nobody frames the page, types are what they say. */
export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  c.header(
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  );
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Referrer-Policy', 'no-referrer');
  c.header('Cross-Origin-Resource-Policy', 'same-origin');
  c.header('Cross-Origin-Opener-Policy', 'same-origin');
};

/** Refuses requests that ask for another host, or that pages of other sites send. */
export function sameSite({ host, allowedHosts }: SecurityOptions): MiddlewareHandler {
  const names = new Set([...allowedHosts, ...LOOPBACK, host]);
  return async (c, next) => {
    const asked = hostOf(`http://${c.req.header('host') ?? ''}`);
    if (isLoopback(host) && (!asked || !names.has(asked.name)))
      throw new HttpError(
        421,
        'wrong_host',
        `This server answers to localhost only, and not to '${asked?.name ?? ''}'. Start it with --allowed-host to change that.`,
      );
    const origin = c.req.header('origin');
    const foreign = origin !== undefined && hostOf(origin)?.full !== asked?.full;
    // Requests that pages of other sites make without an Origin, such as those of pictures, are told by this header.
    const site = c.req.header('sec-fetch-site');
    const embedded =
      site !== undefined && !['same-origin', 'none'].includes(site) && c.req.header('sec-fetch-mode') !== 'navigate';
    if (foreign || embedded) throw new HttpError(403, 'cross_origin', 'Requests of pages of other sites are refused.');
    await next();
  };
}

function hostOf(url: string): { name: string; full: string } | null {
  try {
    const { hostname, host } = new URL(url);
    return { name: hostname.replace(/^\[|\]$/g, ''), full: host };
  } catch {
    return null;
  }
}

/** Whether a request brings the token: as `Authorization: Bearer`, or in the cookie that the page gets. */
export function hasToken(c: Context, token: string | null): boolean {
  if (token === null) return true;
  const bearer = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  return [bearer, getCookie(c, COOKIE)].some((given) => given !== undefined && isEqual(given, token));
}

export function needToken(token: string | null): MiddlewareHandler {
  return async (c, next) => {
    if (!hasToken(c, token))
      throw new HttpError(
        401,
        'token_needed',
        'This server needs its token: send it as `Authorization: Bearer TOKEN`.',
      );
    await next();
  };
}

/** Compares in a time that does not tell where two texts differ. */
export function isEqual(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
