import assert from 'node:assert/strict';
import type { LightMyRequestResponse } from 'fastify';
import type { CookieClient, SentHeaders } from '../../client.ts';
import { ann, password, type TestJanua } from '../../janua.ts';

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
  readonly sites: Map<string, CookieClient>;
  /** Sends one request, without following redirects. */
  ask(address: string, headers?: SentHeaders): Promise<LightMyRequestResponse>;
  /** Sends a request and follows all redirects. Status 200 means that the application may answer. */
  open(address: string): Promise<{ address: string; answer: LightMyRequestResponse }>;
  /** Sends the login form. Gives the redirect. @param username Ann by default */
  logIn(next: string, secret?: string, username?: string): Promise<LightMyRequestResponse>;
}

export function createForwardBrowser(janua: Pick<TestJanua, 'browser'>): ForwardBrowser {
  const sites = new Map<string, CookieClient>();
  function at(origin: string): CookieClient {
    const site = sites.get(origin) ?? janua.browser();
    sites.set(origin, site);
    return site;
  }

  function ask(address: string, headers: SentHeaders = navigating) {
    const { origin } = new URL(address);
    if (origin === own) return at(own).get(address.slice(own.length), headers);
    return at(origin).get('/auth/verify', { ...forwarded(address), ...headers });
  }

  return {
    sites,
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
      const fields = { username, password: secret, next };
      const answer = await at(own).post('/auth/token', fields, { 'sec-fetch-site': 'same-origin' });
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
