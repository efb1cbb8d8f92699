import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import type { Page } from 'playwright-core';
import { defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { noBrowser, openSite, sendLogin, signIn } from '../../browser/browser.ts';
import { ann, password } from '../../janua.ts';
import { blocksOf, root } from '../../page-examples.ts';
import { type Apache, startApache } from '../../servers/apache.ts';
import { missing } from '../../servers/missing.ts';

const carol = { username: 'carol@example.com', firstName: 'Carol', lastName: 'Cook' };

/** A page of the application. It shows what Apache says of the user. */
const document = `<!doctype html><html lang="en"><title>Intranet</title><link rel="icon" href="data:,">
<h1>Intranet</h1><p><!--#echo var="REMOTE_USER" --></p><p><!--#echo var="OIDC_CLAIM_groups" --></p>`;

const skip = missing('Apache') || noBrowser;

describe('Apache with mod_auth_openidc, by the lines of its recipe', { skip }, () => {
  const site = openSite({ settings: { OIDC_PRIVATE_HOSTS: ['127.0.0.1'] } });
  let apache: Apache;

  before(async () => {
    if (skip) return;
    apache = await startApache();
    for (const folder of ['', 'admin']) {
      await mkdir(join(apache.documents, folder), { recursive: true });
      await writeFile(join(apache.documents, folder, 'index.shtml'), document);
    }
    await followRecipe();
    const { administration } = site.janua.services;
    await administration.addGroup({ name: 'staff', description: '', scopes: [] });
    await administration.changeGroups(ann.username, { add: ['admins', 'staff'] });
    await site.janua.people.add({ ...carol, password });
  });
  after(() => apache?.[Symbol.asyncDispose]());

  /** Does what the recipe says, with the addresses of the test. */
  async function followRecipe(): Promise<void> {
    const passphrase = join(apache.documents, '../passphrase');
    await writeFile(passphrase, randomBytes(32).toString('hex'));
    const recipe = (await readFile(`${root}docs/openid/apache.md`, 'utf8'))
      .replaceAll('https://auth.example.com', site.origin)
      .replaceAll('https://intranet.example.com', apache.url)
      .replace('/etc/apache2/openid-passphrase"', `${passphrase}"`);
    const [command = ''] = blocksOf(recipe, 'sh');
    const option = (name: string) => new RegExp(`--${name} '?([^ '\\n]+)`).exec(command)?.[1] ?? '';
    assert.match(command, / --own /);
    const { client, secret = '' } = await site.janua.services.clientAdministration.addClient({
      ...defaultSettings,
      name: option('name'),
      redirectUris: [option('redirect-uri')],
      postLogoutRedirectUris: [option('post-logout-redirect-uri')],
      backchannelLogoutUri: option('backchannel-logout-uri'),
      ...{ own: true, isPublic: false },
    });
    const [lines = ''] = blocksOf(recipe, 'apache');
    await apache.configure(lines.replace('CLIENT_ID', client.id).replace('CLIENT_SECRET', secret));
  }

  /** Signs in on the way to a page of the application. */
  async function enter(page: Page, path = '/', username = ann.username): Promise<void> {
    await page.goto(apache.url + path);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await sendLogin(page, { username });
  }

  const isIn = (page: Page) => page.getByRole('heading', { name: 'Intranet' }).waitFor();

  /** Asks again until the application has been told, and sends the user to the login. */
  async function untilRefused(page: Page): Promise<void> {
    while (new URL((await page.goto(apache.url))?.url() ?? '').origin === apache.url);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  }

  const options = { otherOrigins: () => [apache.url], expected: /status of 403/ };

  site.test(
    'a user signs in on the way, and the application learns the name and the groups',
    async ({ page }) => {
      await enter(page);
      await page.getByText(ann.username).waitFor();
      assert.equal(page.url(), `${apache.url}/`);
      await page.getByText('admins,staff').waitFor();
      await page.goto(`${apache.url}/admin/`);
      await isIn(page);
    },
    options,
  );

  site.test(
    'a user who is signed in enters without a question',
    async ({ page }) => {
      await signIn(page);
      await page.goto(apache.url);
      await isIn(page);
    },
    options,
  );

  site.test(
    'Apache refuses a user who is not in the group',
    async ({ page }) => {
      await enter(page, '/', carol.username);
      await isIn(page);
      assert.equal((await page.goto(`${apache.url}/admin/`))?.status(), 403);
    },
    // The browser asks for the icon of that page at any time later.
    { ...options, changesPage: true, expected: /status of 403|\/favicon\.ico / },
  );

  site.test(
    'a logout in the application ends the session without a question, and leads back',
    async ({ page }) => {
      await enter(page);
      await isIn(page);
      await page.goto(`${apache.url}/openid?logout=${encodeURIComponent(`${apache.url}/`)}`);
      // Apache sends the ID token of the session. Back at the application, which wants a login.
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      await page.goto(`${site.origin}/auth/home`);
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    },
    options,
  );

  site.test(
    'a session that its user ends in the list is over in the application too',
    async ({ page, context }) => {
      await enter(page);
      await isIn(page);
      const other = await context.browser()?.newPage({ baseURL: site.origin });
      assert.ok(other);
      await signIn(other);
      await other.goto('/account/sessions');
      await other.getByRole('button', { name: 'End all other sessions' }).click();
      await other.getByText('All other sessions have ended').waitFor();
      await untilRefused(page);
      await other.close();
    },
    options,
  );

  site.test(
    'a session that an administrator ends is over in the application too',
    async ({ page }) => {
      await enter(page);
      await isIn(page);
      await site.janua.services.administration.endSessions({ username: ann.username });
      await untilRefused(page);
    },
    options,
  );
});
