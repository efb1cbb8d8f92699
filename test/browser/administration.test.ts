import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import type { Page } from 'playwright-core';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { ann, password } from '../janua.ts';
import { violations } from './axe.ts';
import { openSite, sendLogin, signIn, submit } from './browser.ts';

const site = openSite({ settings: { SIGN_UP: 'off', THROTTLE: 'on' } });

/** The texts of what is cut off. */
async function findCut(page: Page, cells: string): Promise<string> {
  const cut = `[...document.querySelectorAll('${cells}')].filter((cell) => cell.scrollWidth > cell.clientWidth)`;
  return page.evaluate(`${cut}.map((cell) => cell.textContent).join()`);
}

/** Neither a violation of WCAG 2.2 AA nor a page wider than its screen, on both screens. */
async function check(page: Page, name: string, hasScript = true): Promise<void> {
  for (const width of [1280, 375]) {
    await page.setViewportSize({ width, height: 720 });
    assert.ok(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width, `${name}, ${width}`);
  }
  // Axe is a script of the page.
  if (hasScript) assert.deepEqual(await violations(page), [], name);
}

site.test('an administrator invites, finds, disables and deletes a user', async ({ page }) => {
  const { administration, groups } = site.janua.services;
  await administration.changeGroups(ann.username, { add: [admins] });
  await groups.add({ name: 'staff', description: '', scopes: [] });
  await signIn(page, ann.username);
  await page.goto('/admin/users');
  await check(page, 'list');
  await page.getByRole('link', { name: 'Add a user' }).click();
  await check(page, 'add');
  await page.getByLabel('staff').check();
  await submit(page, 'Add', { Email: 'eve@example.com', 'First name': 'Eve', 'Last name': 'Evans' });
  await page.getByText('the invitation is on its way').waitFor();
  await check(page, 'user');
  await page.goto('/admin/users');
  await page.getByLabel('Address or name begins with').fill('evans');
  await page.getByLabel('State').selectOption('Enabled');
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('link', { name: 'eve@example.com' }).click();
  await page.getByRole('link', { name: 'End all sessions' }).click();
  await page.getByRole('button', { name: 'End all sessions' }).click();
  await page.getByText('The sessions have ended.').waitFor();
  await page.getByRole('link', { name: 'Disable' }).click();
  await check(page, 'disable');
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByText('The user is disabled.').waitFor();
  await page.getByRole('link', { name: 'Change the groups' }).click();
  assert.ok(await page.getByLabel('staff').isChecked());
  await check(page, 'groups');
  await page.getByLabel('staff').uncheck();
  await page.getByRole('button', { name: 'Change the groups' }).click();
  await page.getByText('The groups are changed.').waitFor();
  await page.getByRole('link', { name: 'Delete', exact: true }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The user is deleted.').waitFor();
  await page.waitForURL(/\/admin\/users$/);
  assert.equal(await page.getByText('eve@example.com').count(), 0);
});

site.test(
  'an administrator finds a refusal by the id that the user quotes, ends a wait, and exports the audit, without script',
  async ({ page, context }) => {
    const { administration } = site.janua.services;
    await administration.changeGroups(ann.username, { add: [admins] });
    const bob = await administration.add({
      username: 'robert.brown@mail.example.com',
      firstName: 'Bob',
      lastName: 'B',
      password,
    });
    await signIn(page, bob.username);
    await page.goto('/admin/users');
    await page.getByText('users:read').waitFor();
    const id = (await page.locator('.request-id code').textContent()) ?? '';
    await context.clearCookies();

    for (let tries = 0; tries < 10; tries += 1) {
      await page.goto('/auth/login');
      await sendLogin(page, { username: bob.username, password: 'wrong' });
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    }
    await signIn(page, ann.username);
    await page.goto('/admin/audit');
    await page.getByLabel('Request ID').fill(id);
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('summary').filter({ hasText: 'Access refused: permission missing' }).click();
    await page.locator('dd').filter({ hasText: 'no group of the user grants it' }).first().waitFor();
    await check(page, 'audit', false);
    assert.equal(await findCut(page, 'summary'), '');
    await page.setViewportSize({ width: 1280, height: 720 });
    assert.equal(await findCut(page, '.events td'), '');
    const topOf = async (part: string) => (await page.locator(`.events ${part}`).boundingBox())?.y ?? 0;
    assert.ok(Math.abs((await topOf('td > time')) - (await topOf('summary > strong'))) < 3, 'the time is at the top');
    const lineOf = (part: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${part}')).borderBottomColor`);
    assert.equal(await lineOf('.events td'), await lineOf('article'));
    await page.getByRole('link', { name: `Remove the filter Request ID: ${id}` }).click();
    await page.waitForURL(/\/admin\/audit\?(?!.*request_id)/);
    const lines = page.locator('tbody > tr');
    await page.setViewportSize({ width: 800, height: 720 });
    const heights = (await Promise.all((await lines.all()).map((line) => line.boundingBox()))).map(
      (box) => box?.height,
    );
    assert.ok(heights.length > 10);
    assert.deepEqual(
      heights.filter((height = 99) => height > 44),
      [],
      'one line an event',
    );

    await page.goto('/admin/throttle');
    await check(page, 'throttle', false);
    const entry = await page.locator('.entries > li > div').first().boundingBox();
    assert.ok((entry?.width ?? 0) > 250, 'the button is below the text');
    await page
      .getByRole('button', { name: `Remove the wait: ${bob.username}` })
      .first()
      .click();
    await page.getByText('The failures are forgotten.').waitFor();
    assert.equal(await page.getByRole('button', { name: `Remove the wait: ${bob.username}` }).count(), 0);

    await page.goto('/admin/audit?kind=login-failed');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export as CSV' }).click(),
    ]);
    assert.match(await text(await download.createReadStream()), /login-failed.*wrong-password/);
    for (const path of ['/admin', '/admin/groups', '/admin/mail', '/admin/settings']) {
      await page.goto(path);
      await check(page, path, false);
    }
  },
  { javaScriptEnabled: false, colorScheme: 'dark', expected: /403|401|429/ },
);

site.test(
  'a page shows times in the zone of the browser and the language of the page, and the audit in its words and in UTC',
  async ({ page }) => {
    await site.janua.services.administration.changeGroups(ann.username, { add: [admins] });
    await signIn(page, ann.username);
    await page.setExtraHTTPHeaders({ 'accept-language': 'de' });
    await page.goto('/admin/audit?kind=login-succeeded');
    const time = page.locator('time').first();
    const sentOf = async () => new Date((await time.getAttribute('datetime')) ?? '');
    assert.equal(await time.textContent(), (await sentOf()).toISOString().slice(0, 19).replace('T', ' '));
    await page.getByRole('columnheader', { name: 'Zeit (UTC)' }).waitFor();
    await page.locator('summary').filter({ hasText: 'Angemeldet' }).first().click();
    await page
      .getByText('Der Benutzer hat sich angemeldet, und der Server hat eine neue Sitzung begonnen')
      .first()
      .waitFor();
    await check(page, 'audit');
    await page.goto('/admin');
    await page.getByText(/^Der Server nimmt Anmeldungen von Seiten von /).waitFor();
    assert.equal(await findCut(page, '.table'), '');
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.goto('/admin/users');
    const written = new Intl.DateTimeFormat('de', {
      ...{ year: 'numeric', month: 'long', day: 'numeric', hour: '2-digit', minute: '2-digit' },
      timeZone: 'Asia/Kathmandu',
    } as const);
    assert.equal(await time.textContent(), written.format(await sentOf()));
    assert.match((await time.getAttribute('title')) ?? '', /UTC$/);
    assert.equal(await findCut(page, '.users :is(td, th)'), '');
    await page.getByRole('link', { name: ann.username }).click();
    await page.locator('[data-shown=moment]').filter({ hasText: 'GMT+5:45' }).first().waitFor();
    await page.goto('/admin/clients/add');
    await check(page, 'add a client');
    // The check leaves the page as wide as a phone. Without a width, a select is as wide as its longest option.
    const widthOf = (id: string) => page.evaluate(`document.getElementById('${id}').offsetWidth`) as Promise<number>;
    for (const id of ['pkce', 'id_token_signed_response_alg']) {
      const width = await widthOf(id);
      await page.evaluate(`document.getElementById('${id}').style.width = 'auto'`);
      assert.ok((await widthOf(id)) <= width, id);
    }
  },
  { timezoneId: 'Asia/Kathmandu', changesPage: true },
);

site.test('the page of the claims of a client shows what it learns while they are typed', async ({ page }) => {
  const { administration, clientAdministration, clients } = site.janua.services;
  await administration.changeGroups(ann.username, { add: [admins] });
  await administration.setClaims(ann.username, () => ({ department: 'research' }));
  const { client } = await clientAdministration.addClient({
    ...defaultSettings,
    ...{ name: 'Wiki', redirectUris: ['https://wiki.example.com/callback'], isPublic: false },
  });
  await signIn(page, ann.username);
  await page.goto(`/admin/clients/${client.id}/claims`);
  await page.getByLabel('Show what it learns of').fill(ann.username);
  await page.getByRole('heading', { name: 'What Wiki learns of ann@example.com' }).waitFor();
  await page.getByLabel('Claims', { exact: true }).fill('dept=claim:department\nteam=claim:team');
  await page.getByText('team is empty: neither').waitFor();
  assert.equal(await page.locator('#learned').getByText('"research"').count(), 2);
  assert.deepEqual((await clients.find(client.id))?.claims, []);
});
