import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import type { Page } from 'playwright-core';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { ann, password } from '../janua.ts';
import { addAuthenticator, openSite, sendLogin, signIn, submit } from './browser.ts';

const site = openSite({ time: Date.now() });

let people = 0;

/** A new user. */
async function addUser(): Promise<string> {
  people += 1;
  const username = `factor${people}@example.com`;
  await site.janua.people.add({ ...ann, username, password });
  return username;
}

/** Gives what the button copies. Undefined without scripts: then there is no button. */
async function copyFrom(page: Page): Promise<string | undefined> {
  const button = page.getByRole('button', { name: 'Copy' });
  if ((await button.count()) === 0) return undefined;
  await page.evaluate('navigator.clipboard.writeText = async (text) => { window.copied = text; }');
  await button.click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  return page.evaluate('window.copied');
}

/** Sets an authenticator app up on the page. Ends on the page Security. @param copies whether scripts run */
async function enrol(page: Page, copies = true) {
  await page.goto('/account/security');
  await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
  const secret = (await page.locator('code').textContent()) ?? '';
  assert.equal(await copyFrom(page), copies ? secret : undefined);
  assert.match((await page.getByRole('link', { name: 'Open in an app' }).getAttribute('href')) ?? '', /^otpauth:\/\//);
  await submit(page, 'Confirm', { Code: codeOf(secret, site.janua.now()) });
  await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
  await page.getByText('Your authenticator app is set up. You are logged out everywhere else.').waitFor();
  const codes = (await page.locator('.codes').textContent())?.trim().split('\n') ?? [];
  assert.equal(await copyFrom(page), copies ? codes.join('\n') : undefined);
  const save = page.getByRole('button', { name: 'Download' });
  assert.equal(await save.isVisible(), copies);
  if (copies) {
    const [download] = await Promise.all([page.waitForEvent('download'), save.click()]);
    assert.match(download.suggestedFilename(), /^Janua factor\d+@example\.com \d{4}-\d{2}-\d{2}\.txt$/);
    assert.deepEqual((await text(await download.createReadStream())).trim().split('\n').slice(1), codes);
    // Browsers keep the addresses of downloads.
    assert.match(download.url(), /^blob:/);
  }
  await page.getByRole('link', { name: 'I have saved the codes' }).click();
  await page.getByText('You have 10 codes left').waitFor();
  return {
    codes,
    /** A code that was not used yet. */
    next() {
      site.janua.pass(30_000);
      return codeOf(secret, site.janua.now());
    },
  };
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(/\/auth\/login/);
}

/** Logs in with the password, which leads to the second step. */
async function beginLogin(page: Page, username: string, path = '/auth/login'): Promise<void> {
  await page.goto(path);
  await sendLogin(page, { username });
  await page.getByRole('heading', { name: 'One more step' }).waitFor();
}

/** Adds the first passkey on the home page, which gives recovery codes. Ends on the page Security. */
async function addPasskey(page: Page): Promise<void> {
  await page.goto('/auth/home');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('Passkey added: Passkey (').waitFor();
  await page.getByRole('link', { name: 'I have saved the codes' }).click();
  await page.getByLabel('Change: Passkey').waitFor();
}

const usePasskey = (page: Page) => page.getByRole('button', { name: 'Use passkey' }).click();

site.test(
  'a login with an authenticator app needs its code, then leads to where the user wanted to go, and a trusted browser is not asked again until the user removes it',
  async ({ page }) => {
    const username = await addUser();
    await signIn(page, username);
    const { next } = await enrol(page);
    await page.goto('/account');
    await page.getByText('Authenticator app').waitFor();
    await logOut(page);
    await beginLogin(page, username, '/admin/me');
    await submit(page, 'Continue', { Code: '000000' });
    await page.getByText('This code is not valid').waitFor();
    await page.getByLabel('Don’t ask again').check();
    await submit(page, 'Continue', { Code: next() });
    await page.waitForURL('/admin/me');
    await logOut(page);
    await signIn(page, username);
    await page.goto('/account/security');
    // Trust in the browser is no proof of the user.
    await page.getByRole('link', { name: 'Confirm that it is you to change this' }).click();
    await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    await submit(page, 'Confirm', { Password: password, Code: next() });
    await page.getByText('Last used on').first().waitFor();
    await page.getByRole('button', { name: /^Remove: Chrom/ }).click();
    await page.getByText('You will be asked for a second factor there again').waitFor();
    await logOut(page);
    await beginLogin(page, username);
  },
  { expected: /status of 422/ },
);

site.test(
  'a recovery code logs in once, the codes can be printed and replaced, and without the authenticator app no code is asked any more',
  async ({ page }) => {
    await page.addInitScript('window.print = () => document.title = `printed`');
    const username = await addUser();
    await signIn(page, username);
    const { codes, next } = await enrol(page);
    for (const count of ['the first time', 'the second time']) {
      await page.context().clearCookies();
      await beginLogin(page, username);
      await page.getByRole('link', { name: 'Use a recovery code' }).click();
      await submit(page, 'Continue', { 'Recovery code': codes[4] ?? '' });
      if (count === 'the first time') await page.getByText('9 codes are left').waitFor();
    }
    await page.getByText('This code is not valid').waitFor();
    await page.getByRole('link', { name: 'Use the authenticator app' }).click();
    await submit(page, 'Continue', { Code: next() });
    await page.waitForURL('/auth/home');

    await logOut(page);
    await beginLogin(page, username, '/admin/me');
    await page.getByRole('link', { name: 'Use a recovery code' }).click();
    await submit(page, 'Continue', { 'Recovery code': codes[5] ?? '' });
    await page.getByText('8 codes are left').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Continue' }).getAttribute('href'), '/admin/me');
    await page.getByRole('button', { name: 'Replace the authenticator app' }).click();
    await submit(page, 'Confirm', { Code: codeOf((await page.locator('code').textContent()) ?? '', site.janua.now()) });
    await page.waitForURL('/admin/me');

    await page.goto('/account/security');
    await page.getByLabel('Change: Recovery codes').click();
    await page.getByRole('button', { name: 'Get new codes' }).click();
    await page.getByText('Your old codes are void. You are logged out everywhere else.').waitFor();
    assert.equal(await page.locator('.languages').isVisible(), false, 'another language would lose the codes');
    const shown = await page.locator('.codes').textContent();
    assert.equal(shown?.trim().split('\n').length, 10);
    assert.ok(!shown?.includes(codes[0] ?? ''));
    await page.getByRole('button', { name: 'Print' }).click();
    assert.equal(await page.title(), 'printed');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.getByText(shown?.trim().split('\n')[0] ?? '').isVisible(), true);
    for (const role of ['link', 'button'] as const)
      assert.deepEqual(await page.locator('main').getByRole(role).allTextContents(), [], role);
    await page.emulateMedia({ media: null });

    await page.goto('/account/security');
    await page.getByLabel('Change: Authenticator app').click();
    await page.getByRole('button', { name: 'Remove the authenticator app' }).click();
    await page.getByText('Your authenticator app was removed').waitFor();
    await logOut(page);
    await signIn(page, username);
    await page.goto('/account');
    await page.getByText('Password only').waitFor();
  },
  { expected: /status of 422/, changesPage: true },
);

site.test(
  'a passkey of the page logs in without a password, is the second step after one, proves the user again, and is renamed and removed',
  async ({ page }) => {
    await addAuthenticator(page);
    const username = await addUser();
    await signIn(page, username);
    await addPasskey(page);
    await page.goto('/auth/home');
    assert.equal(await page.getByRole('button', { name: 'Add a passkey' }).count(), 0);
    await logOut(page);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL('/auth/home');
    await logOut(page);
    await beginLogin(page, username, '/account/sessions');
    await usePasskey(page);
    await page.waitForURL('/account/sessions');
    // The proof is no longer fresh.
    site.janua.pass(3_600_000);
    await page.goto('/account/security');
    await page.getByRole('link', { name: 'Confirm that it is you to change this' }).click();
    await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    await usePasskey(page);
    await page.waitForURL('/account/security');

    await page.getByLabel('Change: Passkey').click();
    await submit(page, 'Save', { 'Name of the passkey': 'Ann’s laptop' });
    await page.getByText('Your passkey was renamed').waitFor();
    await page.getByLabel('Change: Ann’s laptop').click();
    await page.getByRole('button', { name: 'Remove this passkey' }).click();
    await page.getByText('Your passkey was removed').waitFor();
    await logOut(page);
    await signIn(page, username);
  },
  { changesPage: true },
);

site.test(
  'without scripts, the pages say that passkeys need them, and the other ways work',
  async ({ page }) => {
    const username = await addUser();
    await signIn(page, username);
    assert.equal(await page.getByRole('button', { name: 'Don’t ask again' }).count(), 0);
    const { next } = await enrol(page, false);
    assert.match(await page.content(), /<noscript>.*Passkeys need JavaScript.*<\/noscript>/s);
    assert.equal(await page.getByRole('button', { name: 'Add a passkey' }).count(), 0);
    await logOut(page);
    await beginLogin(page, username);
    await submit(page, 'Continue', { Code: next() });
    await page.waitForURL('/auth/home');
  },
  { javaScriptEnabled: false },
);
