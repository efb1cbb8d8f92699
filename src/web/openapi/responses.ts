import type { Answer } from '../../access/refusal.ts';
import { problem } from '../problem.ts';

/** A JSON Schema, for the document. Its static type matters only to the routes. */
export type Schema = Readonly<Record<string, unknown>>;

/** An object with these properties. Those in `optional` may be missing. */
export function object(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', description, properties, required };
}

/** The JSON body of a refusal or failure. */
const problemSchema = object(
  'What went wrong',
  {
    title: { type: 'string', description: 'The status in words' },
    status: { type: 'integer', description: 'The HTTP status' },
    detail: { type: 'string', description: 'What happened' },
    error: { type: 'string', description: 'The error code of RFC 6749, where one applies' },
    error_description: { type: 'string', description: 'The same text as `detail`' },
    request_id: { type: 'string', description: 'Finds the entry in the log of the server' },
  },
  ['error', 'error_description'],
);

const exampleId = '1b0c4a52-6a3c-…';

interface Media {
  schema: Schema;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

export interface Response {
  description: string;
  content?: Record<string, Media>;
  type?: 'null';
  headers?: Record<string, unknown>;
}

export type Responses = Record<string, Response>;

/** A page: a `text/html` response. */
export function page(description: string): Response {
  return { description, content: { 'text/html': { schema: { type: 'string' }, example: '<!doctype html>…' } } };
}

/** A JSON body with an example. */
export function json(description: string, schema: Schema, example: unknown): Response {
  return { description, content: { 'application/json': { schema, example } } };
}

/** A redirect with 303, for browsers. */
export function redirect(description: string): Response {
  return {
    description,
    type: 'null',
    headers: { Location: { type: 'string', description: 'A path on this server', examples: ['/auth/home'] } },
  };
}

/** Joins the two formats of one status. */
export function either(html: Response, program: Response): Response {
  return { ...html, ...program, content: { ...html.content, ...program.content } };
}

/**
 * The responses for these refusals and statuses.
 * @param pages whether browsers get them too, as error pages
 */
export function problems(refusals: readonly Answer[], statuses: readonly number[], pages: boolean): Responses {
  const responses: Responses = {};
  for (const { name, status, detail, error, challenges } of refusals) {
    addExample(responses, status, name, problem(exampleId, status, detail, error));
    if (challenges) addHeader(responses, status, 'WWW-Authenticate', 'A Bearer challenge (RFC 6750 3)');
  }
  for (const status of statuses) addExample(responses, status, 'general', problem(exampleId, status));
  for (const status of [429, 503]) addHeader(responses, status, 'Retry-After', 'Seconds to wait');
  addHeader(responses, 415, 'Accept', 'The kinds of body that are taken');
  if (pages) {
    for (const [status, response] of Object.entries(responses)) {
      if (status !== '401') response.content = { ...response.content, ...page('').content };
    }
  }
  return responses;
}

function addExample(responses: Responses, status: number, name: string, value: unknown): void {
  responses[status] ??= {
    description: problem(exampleId, status).title,
    content: { 'application/json': { schema: problemSchema, examples: {} } },
  };
  const examples = responses[status].content?.['application/json']?.examples ?? {};
  examples[name] = { value };
}

function addHeader(responses: Responses, status: number, name: string, description: string): void {
  const response = responses[status];
  if (response !== undefined) response.headers = { ...response.headers, [name]: { type: 'string', description } };
}

/** The same response, with the cookies that it sets or clears. */
export function settingCookies(response: Response): Response {
  return {
    ...response,
    headers: { ...response.headers, 'Set-Cookie': { type: 'string', description: 'The cookies' } },
  };
}
