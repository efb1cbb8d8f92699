import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import type { Format } from '../../src/web/types.ts';

/** One way to act: an address, a type of body, and a format. */
export interface BodyFace {
  readonly name: string;
  readonly format: Format;
  /** A request with any fields that a client could send. */
  request(fields: Record<string, unknown>): InjectOptions;
}

/** Asks for JSON at the address of a page. */
export const asJson = { 'x-expected-format': 'application/json' };

export function form(fields: object): Pick<InjectOptions, 'payload' | 'headers'> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const item of [value].flat()) body.append(name, String(item));
  }
  return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: body.toString() };
}

export function json(fields: object): Pick<InjectOptions, 'payload' | 'headers'> {
  return { headers: { 'content-type': 'application/json' }, payload: JSON.stringify(fields) };
}

function face(url: string, format: Format, body: typeof form, headers: Record<string, string> = {}): BodyFace {
  return {
    name: `POST ${url} as ${format}, ${body.name} body`,
    format,
    request(fields) {
      const sent = body(fields);
      return { method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } };
    },
  };
}

/** Every way to take an action that has fields. */
export const bodyFaces = (page: string, api: string): readonly BodyFace[] => [
  face(page, 'html', form),
  face(page, 'html', json),
  face(page, 'json', form, asJson),
  face(page, 'json', json, asJson),
  face(api, 'json', form),
  face(api, 'json', json),
];

export const loginFaces = bodyFaces('/auth/token', '/api/login');

/** A request to a route in one of its formats. */
export interface Face {
  readonly name: string;
  readonly format: Format;
  readonly request: Pick<InjectOptions, 'url' | 'headers' | 'method'>;
}

/** Every way to ask for a page or an action without fields. */
export const faces = (method: 'GET' | 'POST', page: string, api: string): readonly Face[] => [
  { name: `${method} ${page} as html`, format: 'html', request: { method, url: page } },
  { name: `${method} ${page} as json`, format: 'json', request: { method, url: page, headers: asJson } },
  { name: `${method} ${api}`, format: 'json', request: { method, url: api } },
];

export const meFaces = faces('GET', '/admin/me', '/api/me');
export const logoutFaces = faces('POST', '/auth/logout', '/api/logout');

/** The value of the session cookie, if an answer sets one. */
export function sessionCookie(answer: LightMyRequestResponse): string | undefined {
  return answer.cookies.find(({ name }) => name.endsWith('session'))?.value;
}

/** The content of the cookie of a failed login: the typed name and the request id. */
export function failedLogin(answer: LightMyRequestResponse): [username: string, id: string] | undefined {
  const cookie = answer.cookies.find(({ name }) => name.endsWith('login-failure'));
  if (cookie === undefined) return undefined;
  const [id = '', _remember, ...typed] = Buffer.from(cookie.value, 'base64url').toString().split(' ');
  return [typed.join(' '), id];
}

/** An answer without the typed name and the parts that differ between requests. */
export function comparable(answer: LightMyRequestResponse): object {
  const { date, 'x-request-id': id = '', 'set-cookie': cookies, 'content-length': length, ...headers } = answer.headers;
  return {
    status: answer.statusCode,
    headers,
    cookies: [cookies ?? []].flat().map((cookie) => cookie.replace(/^(login-failure)=[^;]+/, '$1')),
    body: answer.body.replace(String(id), '(id)').replace(/(name="username" value=")[^"]*/, '$1'),
  };
}
