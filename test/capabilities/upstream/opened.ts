import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import type { CustomFetch } from 'openid-client';
import type { RecordedEvent } from '../../../src/core/audit/event.ts';
import { ann, startJanua, type TestOptions } from '../../janua.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { form, logIn } from '../../web/faces.ts';

export type Entry = Readonly<Record<string, unknown>>;

export const google: Entry = { id: 'google', kind: 'google', clientId: 'janua', clientSecret: 'our secret' };
export const gitHub: Entry = { ...google, id: 'github', kind: 'github', trustedDomains: ['*'] };

/** A file of providers, for as long as a test runs. */
export function writeUpstreams(content: unknown) {
  const folder = createTemporaryFolder('upstreams');
  const path = join(folder.path, 'upstreams.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return { path, [Symbol.dispose]: () => folder.remove() };
}

interface OpenOptions extends TestOptions {
  readonly entries?: readonly Entry[];
  readonly fetch?: CustomFetch | undefined;
}

/** A server with providers, and a browser that keeps cookies. */
export async function open({ entries = [google], fetch, settings, overrides, ...options }: OpenOptions = {}) {
  const file = writeUpstreams(entries);
  const janua = await startJanua({
    ...options,
    settings: { UPSTREAMS_FILE: file.path, SIGN_UP: 'on', ...settings },
    overrides: { ...(fetch && { fetch }), ...overrides },
  });
  const { app, services } = janua;

  function createBrowser(jar: Record<string, string> = {}) {
    async function send(method: 'GET' | 'POST', url: string, fields: Record<string, unknown> = {}) {
      const cookie = Object.entries(jar)
        .map(([name, value]) => `${name}=${value}`)
        .join('; ');
      const sent = method === 'POST' ? form(fields) : { headers: {} };
      const answer = await app.inject({ method, url, ...sent, headers: { ...sent.headers, cookie } });
      for (const { name, value, maxAge } of answer.cookies) {
        if (value === '' || maxAge === 0) delete jar[name];
        else jar[name] = value;
      }
      return answer;
    }
    return {
      jar,
      send,
      /** Presses the button of a provider, and gives the address that the browser is led to. */
      async begin(id = 'google', fields: Record<string, unknown> = {}): Promise<string> {
        return leadOf(await send('POST', `/auth/upstream/${id}`, fields));
      },
      /** Comes back from the provider. */
      back: (address: string) => send('GET', address.replace(new URL(address).origin, '')),
      async whoAmI(): Promise<string | undefined> {
        const cookie = `session=${jar.session}`;
        const { statusCode, body } = await app.inject({ url: '/api/me', headers: { cookie } });
        return statusCode === 200 ? JSON.parse(body).username : undefined;
      },
      /** Logs Ann in by her password. */
      async logIn(): Promise<void> {
        jar.session = (await logIn(app, ann.username)).cookie.cookie.replace('session=', '');
      },
    };
  }

  async function events(): Promise<string[]> {
    const found = await Array.fromAsync(services.auditTrail.find({ order: 'oldest-first' }));
    return found
      .filter((event): event is RecordedEvent => 'kind' in event && /login|upstream|identity/.test(event.kind))
      .map(({ kind, reason }) => (reason === undefined ? kind : `${kind}: ${reason}`));
  }

  return {
    ...{ janua, app, services, createBrowser, events },
    async [Symbol.asyncDispose]() {
      await janua[Symbol.asyncDispose]();
      file[Symbol.dispose]();
    },
  };
}

export function leadOf(answer: LightMyRequestResponse): string {
  assert.equal(answer.statusCode, 200, answer.body);
  const [, url] = /^0; url=(.*)$/.exec(String(answer.headers.refresh)) ?? [];
  return url ?? assert.fail('the page leads nowhere');
}

/** The status and the name of a refusal on a page. */
export const refusalOf = ({ statusCode, body }: LightMyRequestResponse): [number, string | undefined] => [
  statusCode,
  /<p class="lead">([^<]*)</.exec(body)?.[1],
];
