import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before } from 'node:test';
import { ann, password } from '../janua.ts';
import { openSite, signIn } from './browser.ts';

const site = openSite();

// Another site. Each of its pages sends a form to our site as soon as it opens.
let attacker: Server;
before(async () => {
  attacker = createServer(({ url = '/' }, response) => {
    const inputs = Object.entries({ username: ann.username, password })
      .map(([name, value]) => `<input name="${name}" value="${value}">`)
      .join('');
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><html lang="en"><title>Another site</title><link rel="icon" href="data:,">
      <form method="post" action="${site.origin}${url}">${inputs}</form><script>document.forms[0].submit()</script>`);
  }).listen(0, '127.0.0.1');
  await once(attacker, 'listening');
});
after(() => attacker.close());

const origins = () =>
  ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${(attacker.address() as AddressInfo).port}`);
const options = { otherOrigins: origins, expected: /status of 403/ };

// Another host name makes the attacker cross-site. Our host name with another port makes it only same-site.
for (const [index, relation] of ['another host', 'another port'].entries()) {
  site.test(
    `a page on ${relation} cannot sign a visitor in`,
    async ({ page, context }) => {
      const answered = page.waitForResponse(`${site.origin}/auth/token`);
      await page.goto(`${origins()[index]}/auth/token`);
      assert.equal((await answered).status(), 403);
      await page.waitForURL(`${site.origin}/auth/token`);
      await page.getByRole('heading', { name: 'Forbidden' }).waitFor();
      assert.deepEqual(await context.cookies(), []);
    },
    options,
  );

  site.test(
    `a page on ${relation} cannot sign a visitor out`,
    async ({ page }) => {
      await signIn(page);
      const answered = page.waitForResponse(`${site.origin}/auth/logout`);
      await page.goto(`${origins()[index]}/auth/logout`);
      assert.equal((await answered).status(), 403);
      await page.waitForURL(`${site.origin}/auth/logout`);
      await page.getByRole('link', { name: 'Go to the home page' }).click();
      await page.waitForURL(`${site.origin}/auth/home`);
    },
    options,
  );
}
