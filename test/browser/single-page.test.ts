import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { wiki } from '../capabilities/oidc/application.ts';
import { openSite, signIn } from './browser.ts';

const library = await readFile(
  fileURLToPath(new URL('../browser/oidc-client-ts.min.js', import.meta.resolve('oidc-client-ts'))),
);

/** An application that runs in the browser alone, with `oidc-client-ts`. It revokes its tokens when its user signs out. */
const script = (authority: string, client_id: string) => `
const { origin } = location;
window.manager = new oidc.UserManager({
  authority: '${authority}', client_id: '${client_id}', scope: 'openid profile',
  redirect_uri: origin + '/', post_logout_redirect_uri: origin + '/bye', revokeTokensOnSignout: true,
});
const show = (text) => { document.querySelector('main').textContent = text; };
if (location.search.includes('code=')) manager.signinRedirectCallback().then(({ profile }) => show(profile.name), (error) => show(String(error)));
else show('Nobody');
`;

let content = '';
const pages = createServer(({ url = '/' }, response) => {
  const [type, body] =
    url === '/library.js'
      ? ['text/javascript', library]
      : url === '/script.js'
        ? ['text/javascript', content]
        : [
            'text/html',
            '<!doctype html><link rel="icon" href="data:,"><main></main><script src="/library.js"></script><script src="/script.js"></script>',
          ];
  response.writeHead(200, { 'content-type': type }).end(body);
}).listen(0, '127.0.0.1');
await once(pages, 'listening');
after(() => {
  pages.closeAllConnections();
  pages.close();
});
const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
const site = openSite();

site.test(
  'an application in the browser signs its user in, revokes its tokens and signs out without a question',
  async ({ page }) => {
    const { client } = await site.janua.services.clientAdministration.addClient({
      ...{ ...wiki, isPublic: true, redirectUris: [`${origin}/`], postLogoutRedirectUris: [`${origin}/bye`] },
    });
    content = script(site.origin, client.id);
    await signIn(page);
    await page.goto(origin);
    await page.evaluate('void manager.signinRedirect()');
    await page.getByText('Ann Archer').waitFor();
    const revocations: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/oidc/revocation')) revocations.push(response.status());
    });
    await page.evaluate('void manager.signoutRedirect().catch((error) => show(String(error)))');
    await page.waitForURL(`${origin}/bye`);
    assert.deepEqual([...new Set(revocations)], [200]);
    await page.goto('/auth/home');
    await page.waitForURL(/\/auth\/login/);
    // The page that went on by itself is not in the history.
    await page.goBack();
    assert.equal(page.url(), `${origin}/bye`);
  },
  { otherOrigins: () => [origin] },
);
