import type { Answer } from '../../core/access/refusal.ts';
import { homePath } from '../next.ts';
import { oauthEndpoint, problem } from '../problem.ts';

/** A JSON Schema, for the document. Its static type matters only to the routes. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

export const text = (example: string, description?: string): Schema => ({
  type: 'string',
  ...(description && { description }),
  examples: [example],
});

export const time = text('2026-11-26T08:00:00.000Z', 'RFC 3339, UTC');

export const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema.type ?? [], 'null'].flat() });

export const listOf = (items: Schema, description?: string): Schema => ({
  type: 'array',
  items,
  ...(description && { description }),
});

/** @param optional the properties that may be missing */
export function object(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', description, properties, required };
}

/** The body of every problem. It is defined once, because the document would otherwise be twice as long. */
export const problemSchema = object(
  'What went wrong',
  {
    title: { type: 'string', description: 'The name of the status' },
    status: { type: 'integer', description: 'The HTTP status' },
    detail: { type: 'string', description: 'What happened' },
    error: { type: 'string', description: 'The error code of RFC 6749, if one applies' },
    error_description: { type: 'string', description: 'The same text as `detail`' },
    request_id: { type: 'string', description: 'Finds the entry in the log of the server' },
    mfa_token: { type: 'string', description: 'The login that waits for a second factor. It is no session' },
    methods: { type: 'array', items: { type: 'string' }, description: 'The ways to go on, the best first' },
    errors: {
      type: 'array',
      description: 'The fault of each field',
      items: object('A field', { field: { type: 'string' }, detail: { type: 'string' } }),
    },
  },
  ['error', 'error_description', 'errors', 'mfa_token', 'methods'],
);

const exampleId = '1b0c4a52-6a3c-…';

export interface Response {
  description: string;
  content?: Record<string, object>;
  type?: 'null';
  headers?: Record<string, object>;
}

export function page(description: string): Response {
  return { description, content: { 'text/html': { schema: { type: 'string' }, example: '<!doctype html>…' } } };
}

/** @param example values in place of the examples in the schema */
export function json(description: string, schema: Schema, example: object = {}): Response {
  const whole = { ...(exampleOf(schema) as object), ...example };
  return { description, content: { 'application/json': { schema, example: whole } } };
}

/** Makes an example from those of the parts. A part without one is left out. */
export function exampleOf({ type, examples, const: constant, properties, items }: Schema): unknown {
  if (examples !== undefined) return examples[0];
  if (items !== undefined) return [exampleOf(items)];
  if (properties === undefined) return type === 'boolean' ? true : constant;
  const parts = Object.entries(properties).map(([name, part]) => [name, exampleOf(part)]);
  return Object.fromEntries(parts.filter(([, part]) => part !== undefined));
}

export function redirect(description: string): Response {
  return {
    description,
    type: 'null',
    headers: { Location: { type: 'string', description: 'A path on this server', examples: [homePath] } },
  };
}

export const header = (name: string, description: string) => ({ [name]: { type: 'string', description } });

const headers: Readonly<Record<string, Record<string, object>>> = {
  401: header(
    'WWW-Authenticate',
    'A Bearer challenge (RFC 6750 3), or one of Basic (RFC 7617 2) for a host that takes it',
  ),
  403: header('WWW-Authenticate', 'A Bearer challenge with `insufficient_scope`, if a scope is missing (RFC 6750 3)'),
  415: header('Accept', 'The accepted types of bodies'),
  429: header('Retry-After', 'Seconds to wait'),
  503: header('Retry-After', 'Seconds to wait'),
};

/** Describes the responses for these refusals and statuses. @param pages whether browsers get them too, as error pages */
export function problems(refusals: readonly Answer[], statuses: readonly number[], url: string, pages: boolean) {
  const examples = [
    ...refusals.map((answer) => ({ name: answer.name, value: problem(exampleId, answer) })),
    ...statuses.map((status) => ({ name: 'general', value: problem(exampleId, { status }) })),
  ];
  const responses: Record<string, Response> = {};
  for (const [status, group = []] of Object.entries(Object.groupBy(examples, ({ value }) => value.status)))
    responses[status] = {
      description: group[0]?.value.title ?? '',
      ...(headers[status] && { headers: headers[status] }),
      content: {
        'application/json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: Object.fromEntries(group.map(({ name, value }) => [name, { value }])),
        },
        ...(!oauthEndpoint.test(url) && {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, example: group[0]?.value },
        }),
        // A browser that is not signed in is redirected to the login page.
        ...(pages && status !== '401' && page('').content),
      },
    };
  return responses;
}

export function settingCookies(response: Response): Response {
  return { ...response, headers: { ...response.headers, ...header('Set-Cookie', 'The cookies') } };
}
