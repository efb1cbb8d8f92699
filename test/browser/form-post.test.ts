import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before } from 'node:test';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { startDocumentServer } from '../capabilities/oidc/document-server.ts';
import { openSite, signIn } from './browser.ts';

const site = openSite();
const resources = new AsyncDisposableStack();
const got: { type: string; body: string; referrer: string | undefined }[] = [];
const origins: string[] = [];
const addresses: Record<string, string> = {};

/** Notes what is posted, and leads on to a page, as applications do. */
const application: RequestListener = async (request, response) => {
  if (request.method !== 'POST') return void response.end('<!doctype html><title>Signed in</title>');
  const { 'content-type': type = '', referer: referrer } = request.headers;
  got.push({ type, body: await text(request), referrer });
  response.writeHead(303, { location: '/done' }).end();
};

before(async () => {
  const plain = createServer(application).listen(0, 'localhost');
  await once(plain, 'listening');
  resources.defer(() => void plain.close());
  plain.unref();
  const secure = resources.use(await startDocumentServer());
  addresses['http on loopback'] = `http://localhost:${(plain.address() as AddressInfo).port}/callback`;
  addresses.https = secure.answer('/callback', application);
  for (const path of ['/done', '/favicon.ico']) secure.answer(path, application);
  origins.push(...Object.values(addresses).map((address) => new URL(address).origin));
});
after(() => resources.disposeAsync());

for (const kind of ['http on loopback', 'https'])
  for (const javaScriptEnabled of [true, false])
    site.test(
      `the answer reaches an application at ${kind} by a form, ${javaScriptEnabled ? 'by itself' : 'by a button without scripts'}`,
      async ({ page }) => {
        const redirectUri = addresses[kind] ?? assert.fail(kind);
        const { client } = await site.janua.services.clientAdministration.addClient({
          ...{ ...defaultSettings, name: 'Wiki', redirectUris: [redirectUri], own: kind === 'https', isPublic: false },
        });
        await signIn(page);
        const query = new URLSearchParams({
          ...{ client_id: client.id, redirect_uri: redirectUri, response_type: 'code', scope: 'openid', nonce: 'n' },
          ...{ response_mode: 'form_post', state: '"><script>alert(1)</script>' },
        });
        await page.goto(`/oidc/auth?${query}`);
        if (kind !== 'https') await page.getByRole('button', { name: 'Allow' }).click();
        if (!javaScriptEnabled) await page.getByRole('button', { name: 'Continue' }).click();
        await page.waitForURL(new URL('/done', redirectUri).href);
        const { type, body, referrer } = got.pop() ?? assert.fail('nothing was posted');
        const fields = new URLSearchParams(body);
        assert.equal(type, 'application/x-www-form-urlencoded');
        assert.deepEqual([...fields.keys()].sort(), ['code', 'iss', 'state']);
        assert.equal(fields.get('state'), '"><script>alert(1)</script>');
        assert.equal(referrer ?? `${site.origin}/`, `${site.origin}/`);
        if (!javaScriptEnabled) return;
        // The page with the form is no entry of the history: it would send the code again.
        await page.goBack();
        assert.notEqual(new URL(page.url()).pathname, '/oidc/auth');
        assert.deepEqual(got, []);
      },
      { otherOrigins: () => origins, ignoreHTTPSErrors: true, javaScriptEnabled, expected: /interaction.* 400 / },
    );
