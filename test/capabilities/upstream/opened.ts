import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import type { CustomFetch } from 'openid-client';
import type { SignedIn } from '../../client.ts';
import { startJanua, type TestOptions } from '../../janua.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

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

  function createBrowser(jar?: Record<string, string>) {
    const browser = janua.browser(jar);
    return {
      ...browser,
      /** Presses the button of a provider, and gives the address that the browser is led to. */
      async begin(id = 'google', fields: Record<string, unknown> = {}): Promise<string> {
        return leadOf(await browser.post(`/auth/upstream/${id}`, fields));
      },
      /** Comes back from the provider. */
      back: (address: string) => browser.get(address.replace(new URL(address).origin, '')),
      async whoAmI(): Promise<string | undefined> {
        const { statusCode, body } = await janua.get('/api/me', { cookie: `session=${browser.jar.session}` });
        return statusCode === 200 ? JSON.parse(body).username : undefined;
      },
      /** Logs Ann in by her password. */
      async logIn(): Promise<void> {
        browser.jar.session = sessionIn(await janua.logIn());
      },
    };
  }

  return {
    ...janua,
    createBrowser,
    decisions: () => janua.kinds(/login|upstream|identity/),
    async [Symbol.asyncDispose]() {
      await janua[Symbol.asyncDispose]();
      file[Symbol.dispose]();
    },
  };
}

/** The value of the cookie of a session. */
export const sessionIn = ({ cookie }: SignedIn) => cookie.cookie.replace('session=', '');

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
