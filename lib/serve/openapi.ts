/** The OpenAPI 3.1 description of the API, made of the same schemas that check requests. */
import { z } from 'zod';

/** One operation as it is described. */
export interface Operation {
  method: 'get' | 'post' | 'delete';
  /** In OpenAPI's form, such as /api/jobs/{id}. */
  path: string;
  summary: string;
  tag: string;
  query?: z.ZodObject;
  /** A JSON body. */
  json?: z.ZodType;
  /** A multipart body: a field `settings` with JSON, and files. */
  form?: { settings: z.ZodType; files: Readonly<Record<string, { required: boolean; description: string }>> };
  /** What a success gives: a schema for JSON, or a media type. */
  status?: 200 | 202 | 204;
  response?: z.ZodType | string;
  errors?: readonly number[];
}

const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
};

const ERRORS: Readonly<Record<number, string>> = {
  400: 'The request is wrong; the message says where',
  401: 'The token is missing or wrong',
  403: 'The request comes from a page of another site',
  404: 'There is no such thing',
  409: 'The model cannot be loaded',
  413: 'The request is too large',
  415: 'The file is of a kind that is not accepted',
  429: 'Too many requests of this client are waiting',
  503: 'The queue is full',
};

export function openApi(
  operations: readonly Operation[],
  error: z.ZodType,
  info: { title: string; version: string },
): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    paths[operation.path] ??= {};
    paths[operation.path][operation.method] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      ...info,
      description: 'Pictures by latent diffusion models. Work is queued as jobs, whose events can be followed.',
    },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Needed where the server was started with --token' },
      },
      schemas: { Error: schemaOf(error, 'output') },
    },
  };
}

function describe(operation: Operation): object {
  const { path, summary, tag, query, status = 200, response, errors = [] } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !(schema as z.ZodType).safeParse(undefined).success,
    schema: schemaOf(schema as z.ZodType, 'input'),
  }));
  const failures = [...new Set([...errors, 401, 403])].sort().map((code) => [
    code,
    {
      description: ERRORS[code],
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    },
  ]);
  return {
    summary,
    tags: [tag],
    operationId: operationId(operation),
    parameters: [...inPath, ...inQuery],
    ...bodyOf(operation),
    responses: { [status]: successOf(response), ...Object.fromEntries(failures) },
  };
}

const operationId = ({ method, path }: Operation) =>
  method + path.replace(/[/{}_]+(\w)/g, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '');

function bodyOf({ json, form }: Operation): object {
  if (json)
    return { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(json, 'input') } } } };
  if (!form) return {};
  const files = Object.entries(form.files).map(([name, { description }]) => [
    name,
    { type: 'string', format: 'binary', description },
  ]);
  const required = ['settings', ...Object.keys(form.files).filter((name) => form.files[name].required)];
  const schema = {
    type: 'object',
    required,
    properties: { settings: schemaOf(form.settings, 'input'), ...Object.fromEntries(files) },
  };
  const encoding = { settings: { contentType: 'application/json' } };
  return { requestBody: { required: true, content: { 'multipart/form-data': { schema, encoding } } } };
}

function successOf(response: Operation['response']): object {
  if (response === undefined) return { description: 'Done' };
  if (typeof response === 'string') return { description: 'Success', content: { [response]: {} } };
  return { description: 'Success', content: { 'application/json': { schema: schemaOf(response, 'output') } } };
}
