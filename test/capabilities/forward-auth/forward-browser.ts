import assert from 'node:assert/strict';
import type { LightMyRequestResponse } from 'fastify';
import type { App } from '../../../src/web/types.ts';
import { ann, password } from '../../janua.ts';
import { form } from '../../web/faces.ts';

export const own = 'https://auth.example.com';
export const appOrigin = 'https://app.example.com';
export const otherOrigin = 'https://other.example.com:8443';

export const forwardSettings = {
  PUBLIC_URL: own,
  TRUSTED_PROXIES: ['127.0.0.1'],
  FORWARD_AUTH_ORIGINS: [appOrigin, otherOrigin],
};

export const navigating = { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' };

/** The headers by which a proxy describes a request to an address. */
export function forwarded(address: string, method = 'GET'): Record<string, string> {
  const [, proto = '', host = '', uri = ''] = /^(\w+):\/\/([^/]*)(.*)$/.exec(address) ?? [];
  return {
    'x-forwarded-proto': proto,
    'x-forwarded-host': host,
    'x-forwarded-uri': uri,
    'x-forwarded-method': method,
  };
}

/** A browser with its cookies. It visits our host and other hosts, whose proxy asks us. */
export interface ForwardBrowser {
  readonly cookies: Map<string, Map<string, string>>;
  /** Sends one request, without following redirects. */
  ask(address: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  /** Sends a request and follows all redirects. Status 200 means that the application may answer. */
  open(address: string): Promise<{ address: string; answer: LightMyRequestResponse }>;
  /** Sends the login form. Gives the redirect. @param username Ann by default */
  logIn(next: string, secret?: string, username?: string): Promise<LightMyRequestResponse>;
}

export function createForwardBrowser(app: App): ForwardBrowser {
  const cookies = new Map<string, Map<string, string>>();

  function keep(origin: string, { headers }: LightMyRequestResponse): void {
    const jar = cookies.get(origin) ?? new Map<string, string>();
    cookies.set(origin, jar);
    for (const cookie of [headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0(;|$)/.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
  }

  const cookieOf = (origin: string): Record<string, string> => {
    const pairs = [...(cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`);
    return pairs.length === 0 ? {} : { cookie: pairs.join('; ') };
  };

  async function ask(address: string, headers: Record<string, string> = navigating) {
    const { origin } = new URL(address);
    const url = origin === own ? address.slice(own.length) : '/auth/verify';
    const said = origin === own ? {} : forwarded(address);
    const answer = await app.inject({ url, headers: { ...said, ...cookieOf(origin), ...headers } });
    keep(origin, answer);
    return answer;
  }

  return {
    cookies,
    ask,
    async open(address) {
      let at = address;
      for (let step = 0; step < 8; step++) {
        const answer = await ask(at);
        if (answer.statusCode !== 303) return { address: at, answer };
        at = new URL(String(answer.headers.location), at).href;
      }
      throw new Error(`the redirects form a loop: ${at}`);
    },
    async logIn(next, secret = password, username = ann.username) {
      const sent = form({ username, password: secret, next });
      const headers = { ...sent.headers, ...cookieOf(own), 'sec-fetch-site': 'same-origin' };
      const answer = await app.inject({ method: 'POST', url: '/auth/token', payload: sent.payload ?? '', headers });
      keep(own, answer);
      assert.equal(answer.statusCode, 303);
      return answer;
    },
  };
}

/** Opens an address without a session, signs in, and comes back. Gives the final address. */
export async function signInAt(browser: ForwardBrowser, address: string): Promise<string> {
  const login = await browser.open(address);
  const next = new URL(login.address).searchParams.get('next') ?? '';
  const answer = await browser.logIn(next);
  return (await browser.open(own + answer.headers.location)).address;
}
