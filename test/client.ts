import assert from 'node:assert/strict';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import type { App } from '../src/web/types.ts';
import { form, json } from './web/faces.ts';

export type SentHeaders = NonNullable<InjectOptions['headers']>;

/** The two credentials of a session, as headers of a request. */
export interface SignedIn {
  readonly cookie: { cookie: string };
  readonly bearer: { authorization: string };
}

/** Sends requests to a server in this process, and follows no redirect. */
export interface Client {
  /** @param headers those besides the ones of the request; `from` is the address of the sender */
  send(request: InjectOptions, headers?: SentHeaders, from?: string): Promise<LightMyRequestResponse>;
  get(url: string, headers?: SentHeaders, from?: string): Promise<LightMyRequestResponse>;
  /** Sends fields as JSON to `/api/`, elsewhere as a form. Without fields there is no body. */
  post(url: string, fields?: object, headers?: SentHeaders, from?: string): Promise<LightMyRequestResponse>;
}

const clientOf = (send: Client['send']): Client => ({
  send,
  get: (url, headers, from) => send({ url }, headers, from),
  post(url, fields, headers, from) {
    const sent = fields === undefined ? {} : url.startsWith('/api/') ? json(fields) : form(fields);
    return send({ method: 'POST', url, ...sent }, headers, from);
  },
});

export const createClient = (app: App): Client =>
  clientOf((request, headers, from) =>
    app.inject({
      ...request,
      headers: { ...request.headers, ...headers },
      ...(from !== undefined && { remoteAddress: from }),
    }),
  );

/** A client whose requests have these headers unless they give others of the name. */
export const withHeaders = ({ send }: Client, headers: SentHeaders): Client =>
  clientOf((request, more, from) => send(request, { ...headers, ...more }, from));

/** The credentials that the answer to a program has. */
export function signedInBy(answer: LightMyRequestResponse): SignedIn {
  assert.equal(answer.statusCode, 200, answer.body);
  const session = answer.cookies.find(({ name }) => name.endsWith('session'));
  return {
    cookie: { cookie: `${session?.name}=${session?.value}` },
    bearer: { authorization: `Bearer ${answer.json().access_token}` },
  };
}

/** A client that keeps cookies, as a browser does. */
export interface CookieClient extends Client {
  /** The cookies, which a test may change. */
  readonly jar: Record<string, string>;
}

export function createCookieClient(client: Client, jar: Record<string, string> = {}): CookieClient {
  return {
    jar,
    ...clientOf(async (request, headers, from) => {
      const cookie = Object.entries(jar).map((pair) => pair.join('='));
      const sent = { ...(cookie.length > 0 && { cookie: cookie.join('; ') }), ...headers };
      const answer = await client.send(request, sent, from);
      for (const { name, value, maxAge } of answer.cookies) {
        if (value === '' || maxAge === 0) delete jar[name];
        else jar[name] = value;
      }
      return answer;
    }),
  };
}
