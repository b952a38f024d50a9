/** What the routes of a server share. */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Client } from './fair-queue';
import { HttpError } from './http-error';
import type { Jobs } from './jobs';
import type { ServeLimits } from './limits';
import type { Logs } from './logs';
import type { ModelHost } from './model-host';
import type { Operation } from './openapi';
import type { requestSchemas } from './protocol';
import type { SecurityOptions } from './security';

export interface ServeContext {
  jobs: Jobs;
  host: ModelHost;
  logs: Logs;
  limits: ServeLimits;
  schemas: ReturnType<typeof requestSchemas>;
  security: SecurityOptions;
  device: string;
  version: string;
}

/** An operation with what answers it. */
export interface Route extends Operation {
  handle(c: Context): Response | Promise<Response>;
}

/** Who asks. A tab calls itself something in X-Client-Id; the address is what limits hold for. */
export function clientOf(c: Context): Client {
  const address =
    (c.env as { incoming?: { socket?: { remoteAddress?: string } } })?.incoming?.socket?.remoteAddress ?? '';
  const id = c.req.header('x-client-id') ?? '';
  return { address, id: /^[\w-]{1,64}$/.test(id) ? id : '' };
}

/** @throws HttpError 400 that names the first wrong field */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue.path.join('.') || undefined;
  throw new HttpError(400, 'invalid_request', field ? `${field}: ${issue.message}` : issue.message, field);
}

/** The JSON body. @throws HttpError 400, 415 */
export async function jsonBody<T extends z.ZodType>(c: Context, schema: T): Promise<z.infer<T>> {
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? ''))
    throw new HttpError(415, 'unsupported_type', 'Expected a body of type application/json.');
  let value: unknown;
  try {
    value = await c.req.json();
  } catch (error) {
    throw new HttpError(400, 'invalid_json', `The body is no JSON: ${(error as Error).message}`);
  }
  return parse(schema, value);
}

/** A multipart body: JSON in the field `settings`, and files. @throws HttpError 400, 415 */
export async function formBody<T extends z.ZodType>(
  c: Context,
  schema: T,
): Promise<{ settings: z.infer<T>; file(name: string): File | null }> {
  if (!/^multipart\/form-data\b/i.test(c.req.header('content-type') ?? ''))
    throw new HttpError(415, 'unsupported_type', 'Expected a body of type multipart/form-data.');
  let form: FormData;
  try {
    form = await c.req.formData();
  } catch (error) {
    throw new HttpError(400, 'invalid_form', `The body cannot be read: ${(error as Error).message}`);
  }
  const text = form.get('settings') ?? '{}';
  let value: unknown;
  try {
    value = JSON.parse(typeof text === 'string' ? text : await text.text());
  } catch {
    throw new HttpError(400, 'invalid_json', "Expected JSON in the field 'settings'.", 'settings');
  }
  const file = (name: string) => {
    const entry = form.get(name);
    return entry !== null && typeof entry !== 'string' ? entry : null;
  };
  return { settings: parse(schema, value), file };
}
